-- title: Which of these schemas are there?
-- params: schemas text
select wanted.name as schema, n.oid is not null as found
from jsonb_array_elements_text(:schemas::jsonb) with ordinality wanted(name, place)
left join pg_namespace n on n.nspname = wanted.name
order by wanted.place
