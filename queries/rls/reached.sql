-- title: What does each exposed view reach, and with whose rights?
-- why: A view that is not security_invoker reads with its owner's rights, whatever the caller's policies say; so does one it reads from.
-- params: schemas text
with recursive views as (
  select v.oid, v.relkind = 'm' or coalesce((select option_value::boolean from pg_options_to_table(v.reloptions)
    where option_name = 'security_invoker'), false) is false as as_owner
  from pg_class v join pg_namespace n on n.oid = v.relnamespace
  where v.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema')
    and not exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = v.oid and e.deptype = 'e')
), reads as (
  select v.oid as view, d.refclassid as class, d.refobjid as target, v.as_owner
  from views v join pg_rewrite w on w.ev_class = v.oid
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refobjid <> v.oid
  where d.refclassid in ('pg_class'::regclass, 'pg_proc'::regclass)
  union
  -- Tables of the catalog itself: pg_depend says nothing of what is built in.
  select v.oid, 'pg_class'::regclass::oid, found[1]::oid, v.as_owner
  from views v join pg_rewrite w on w.ev_class = v.oid, regexp_matches(w.ev_action::text, ':relid (\d+)', 'g') found
  where found[1]::oid <> v.oid
), reach as (
  select view, class, target, as_owner from reads
  union
  select r.view, n.class, n.target, n.as_owner from reach r join reads n on r.class = 'pg_class'::regclass and n.view = r.target
), found as (
  select r.view, r.as_owner, tn.nspname as place, format('%I.%I', tn.nspname, t.relname) as reached,
    case when tn.nspname in ('pg_catalog', 'information_schema') then 'system relation'
      else case t.relkind when 'f' then 'foreign table' when 'm' then 'materialized view' when 'v' then 'view' else 'table' end end as what,
    t.relrowsecurity as protected, false as definer,
    exists (select from pg_depend e where e.classid = 'pg_class'::regclass and e.objid = t.oid and e.deptype = 'e') as member,
    (select string_agg(o.rolname, ', ' order by o.rolname) from pg_roles o where o.rolname in ('anon', 'authenticated')
      and (has_table_privilege(o.oid, t.oid, 'select') or has_any_column_privilege(o.oid, t.oid, 'select'))) as callers
  from reach r join pg_class t on t.oid = r.target join pg_namespace tn on tn.oid = t.relnamespace
  where r.class = 'pg_class'::regclass and (t.relkind in ('r', 'p', 'f', 'm') or t.relkind = 'v' and t.oid not in (select oid from views))
  union all
  select r.view, r.as_owner, fn.nspname, format('%I.%I()', fn.nspname, f.proname), 'function', false,
    f.prosecdef and f.prorettype <> 'boolean'::regtype, false,
    (select string_agg(o.rolname, ', ' order by o.rolname) from pg_roles o where o.rolname in ('anon', 'authenticated')
      and has_function_privilege(o.oid, f.oid, 'execute'))
  from reach r join pg_proc f on f.oid = r.target join pg_namespace fn on fn.oid = f.pronamespace
  where r.class = 'pg_proc'::regclass and fn.nspname not in ('pg_catalog', 'information_schema')
)
select n.nspname as schema, v.relname as relation, f.reached, f.what, f.place = any (string_to_array(:schemas, ',')) as inside,
  bool_or(f.protected) as protected, f.as_owner, bool_or(f.definer) as definer, f.member, coalesce(max(f.callers), '') as callers
from found f join pg_class v on v.oid = f.view join pg_namespace n on n.oid = v.relnamespace
where n.nspname = any (string_to_array(:schemas, ','))
group by n.nspname, v.relname, f.reached, f.what, inside, f.as_owner, f.member
order by 1, 2, 3
