-- title: Which columns of other tables does a policy read, such as the mark of a test account?
-- params: schema text, relation text, policy text
select n.nspname::text as schema, c.relname::text as relation, a.attname::text as name, format_type(a.atttypid, null) as type
from pg_policy p join pg_class g on g.oid = p.polrelid join pg_namespace s on s.oid = g.relnamespace
  join pg_depend d on d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_class'::regclass
    and d.refobjsubid > 0 and d.refobjid <> p.polrelid
  join pg_class c on c.oid = d.refobjid and c.relkind in ('r', 'p') join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum = d.refobjsubid
where s.nspname = :schema and g.relname = :relation and p.polname = :policy
order by n.nspname, c.relname, a.attnum
