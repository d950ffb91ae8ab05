-- title: Which policies has a table, and which bind a logged-in user?
-- params: schema text, relation text
select p.polname::text as policy, p.polpermissive as permissive,
  case p.polcmd when 'r' then 'select' when 'a' then 'insert' when 'w' then 'update' when 'd' then 'delete' else 'all' end as command,
  exists (select from unnest(p.polroles) role left join pg_roles a on a.rolname = 'authenticated'
    where role = 0 or pg_has_role(a.oid, role, 'usage')) as binds_authenticated,
  coalesce(pg_get_expr(p.polwithcheck, p.polrelid), pg_get_expr(p.polqual, p.polrelid)) as condition
from pg_policy p join pg_class c on c.oid = p.polrelid join pg_namespace n on n.oid = c.relnamespace
where c.relname = :relation and (n.nspname = :schema or :schema = 'pg_temp' and n.oid = pg_my_temp_schema())
