-- title: Which policies stand before the rows of the exposed relations?
-- why: A rule binds a row to its owner only when it compares a column with the caller; `columns` and `calls` are what to look for in it.
-- params: schemas text
select n.nspname as schema, c.relname as relation, p.polname as policy, p.polpermissive as permissive,
  case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
  0 = any (p.polroles) or exists (select from pg_roles r, pg_roles o
    where r.rolname = 'anon' and o.oid = any (p.polroles) and pg_has_role(r.oid, o.oid, 'usage')) as for_anon,
  0 = any (p.polroles) or exists (select from pg_roles r, pg_roles o
    where r.rolname = 'authenticated' and o.oid = any (p.polroles) and pg_has_role(r.oid, o.oid, 'usage')) as for_authenticated,
  coalesce(pg_get_expr(p.polqual, p.polrelid), '') as using_rule, coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') as check_rule,
  array(select quote_ident(a.attname) from pg_attribute a where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped) as columns,
  array(select distinct quote_ident(f.proname) from pg_depend d join pg_proc f on f.oid = d.refobjid join pg_namespace fn on fn.oid = f.pronamespace
    where d.classid = 'pg_policy'::regclass and d.objid = p.oid and d.refclassid = 'pg_proc'::regclass
      and not (fn.nspname = 'auth' and f.proname in ('uid', 'role', 'jwt', 'email'))) as calls
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
where n.nspname = any (string_to_array(:schemas, ','))
order by n.nspname, c.relname, p.polname
