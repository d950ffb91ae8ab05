-- title: Which schemas with tables does a dump of these leave out, and about how many rows are there?
-- why: What is not dumped cannot be restored. An extension's tables come with it; a table that was never analyzed has no estimate.
-- params: schemas text
select n.nspname::text as schema, count(*) as tables, sum(nullif(c.reltuples, -1))::bigint as rows,
  bool_or(c.reltuples < 0 and pg_relation_size(c.oid) > 0) as unsure
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname <> 'information_schema' and n.nspname !~ '^pg_'
  and n.nspname not in (select jsonb_array_elements_text(:schemas::jsonb))
  and not exists (
    select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
group by n.nspname order by n.nspname
