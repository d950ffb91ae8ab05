-- title: Which relations does the API expose, whose are they, and who may do what with them?
-- why: What anon or authenticated hold a grant on can be asked through the API; only row level security stands before its rows.
-- params: schemas text
with recursive members as (
  select objid as oid from pg_depend where classid = 'pg_class'::regclass and deptype = 'e'
), above as (
  select inhrelid as child, inhparent as parent from pg_inherits
  union
  select a.child, i.inhparent from above a join pg_inherits i on i.inhrelid = a.parent
), rights as (
  select c.oid, r.role, p.command, p.rank,
    case when p.command in ('delete', 'truncate') then has_table_privilege(r.role, c.oid, p.command)
      else has_table_privilege(r.role, c.oid, p.command) or has_any_column_privilege(r.role, c.oid, p.command) end as held
  from pg_class c
  cross join (select rolname as role from pg_roles where rolname in ('anon', 'authenticated')) r
  cross join unnest(array['select', 'insert', 'update', 'delete', 'truncate']) with ordinality p (command, rank)
  where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relnamespace in (select oid from pg_namespace where nspname = any (string_to_array(:schemas, ',')))
)
select n.nspname as schema, c.relname as relation, format('%I.%I', n.nspname, c.relname) as qualified,
  case when c.relispartition then 'partition' else
    case c.relkind when 'r' then 'table' when 'p' then 'partitioned table' when 'v' then 'view' when 'm' then 'materialized view'
      when 'f' then 'foreign table' end end as kind,
  c.relkind = 'f' as is_foreign, coalesce((select option_value::boolean from pg_options_to_table(c.reloptions)
    where option_name = 'security_invoker'), false) as invoker,
  quote_ident(c.relname) as quoted, array(select format('%I.%I', pn.nspname, pc.relname) from above join pg_class pc on pc.oid = above.parent
    join pg_namespace pn on pn.oid = pc.relnamespace where above.child = c.oid order by 1) as ancestors,
  pg_get_userbyid(c.relowner) as owner, c.relrowsecurity as rls, c.relforcerowsecurity as forced,
  (select format('%I.%I', pn.nspname, pc.relname) from pg_inherits i join pg_class pc on pc.oid = i.inhparent
    join pg_namespace pn on pn.oid = pc.relnamespace where i.inhrelid = c.oid and c.relispartition and pc.relrowsecurity) as protected_parent,
  coalesce((select string_agg(command, ', ' order by rank) from rights where rights.oid = c.oid and role = 'anon' and held), '') as anon,
  coalesce((select string_agg(command, ', ' order by rank) from rights where rights.oid = c.oid and role = 'authenticated' and held), '') as authenticated,
  coalesce((select string_agg(r.rolname, ', ' order by r.rolname) from pg_roles r
    where r.rolname in ('anon', 'authenticated') and pg_has_role(r.oid, c.relowner, 'member')), '') as owned_by_role
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p', 'v', 'm', 'f') and n.nspname = any (string_to_array(:schemas, ','))
  and c.oid not in (select oid from members) -- an extension's own are the extension's to judge
order by n.nspname, c.relname
