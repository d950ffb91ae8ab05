-- title: Which tables does each exposed view reach, and with whose rights?
-- why: A view that is not security_invoker reads with its owner's rights, whatever the caller's policies say; so does one it reads from.
-- params: schemas text
with recursive reads as (
  select distinct v.oid as view, d.refobjid as target,
    v.relkind = 'm' or coalesce((select option_value::boolean from pg_options_to_table(v.reloptions) where option_name = 'security_invoker'), false) is false
      as as_owner
  from pg_class v join pg_rewrite w on w.ev_class = v.oid
  join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = w.oid and d.refclassid = 'pg_class'::regclass and d.refobjid <> v.oid
  where v.relkind in ('v', 'm')
), reach as (
  select view, target, as_owner from reads
  union
  select r.view, n.target, n.as_owner from reach r join reads n on n.view = r.target
)
select distinct n.nspname as schema, v.relname as relation, format('%I.%I', tn.nspname, t.relname) as reached, t.relrowsecurity as protected, r.as_owner
from reach r join pg_class v on v.oid = r.view join pg_namespace n on n.oid = v.relnamespace
join pg_class t on t.oid = r.target join pg_namespace tn on tn.oid = t.relnamespace
where t.relkind in ('r', 'p', 'f') and n.nspname = any (string_to_array(:schemas, ','))
order by 1, 2, 3
