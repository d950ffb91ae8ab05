-- title: Which tables does a dump of these schemas hold, with about how many rows?
-- why: A partitioned table's rows are its partitions'; an extension's tables come with the extension.
-- params: schemas text
select n.nspname as schema, c.relname as name, format('%I.%I', n.nspname, c.relname) as relation,
  c.reltuples::bigint as estimate
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind = 'r' and n.nspname in (select jsonb_array_elements_text(:schemas::jsonb))
  and not exists (
    select from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e'
  )
order by n.nspname, c.relname
