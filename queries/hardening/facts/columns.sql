-- title: Which columns does a new row of a table give, and which of them is its key?
-- params: schema text, relation text
select a.attname::text as name, format_type(a.atttypid, null) as type, coalesce(a.attnum = any(i.indkey), false) as is_key
from pg_class c join pg_namespace n on n.oid = c.relnamespace join pg_attribute a on a.attrelid = c.oid
  left join pg_index i on i.indrelid = c.oid and i.indisprimary
where n.nspname = :schema and c.relname = :relation and a.attnum > 0 and not a.attisdropped and a.attgenerated = '' and a.attidentity <> 'a'
order by a.attnum
