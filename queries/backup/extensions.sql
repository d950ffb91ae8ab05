-- title: Which extensions do a dump's objects need?
-- why: A dump of schemas does not bring extensions: they must be there before a restore.
-- params: schemas text
with relations as (
  select c.oid from pg_class c join pg_namespace n on n.oid = c.relnamespace
  where n.nspname in (select jsonb_array_elements_text(:schemas::jsonb))
), dumped(classid, objid) as (
  select 'pg_class'::regclass, oid from relations
  union all select 'pg_attrdef'::regclass, oid from pg_attrdef where adrelid in (select oid from relations)
  union all select 'pg_constraint'::regclass, oid from pg_constraint where conrelid in (select oid from relations)
  union all select 'pg_policy'::regclass, oid from pg_policy where polrelid in (select oid from relations)
  union all select 'pg_rewrite'::regclass, oid from pg_rewrite where ev_class in (select oid from relations)
  union all select 'pg_trigger'::regclass, oid from pg_trigger where tgrelid in (select oid from relations)
  union all select 'pg_proc'::regclass, p.oid from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in (select jsonb_array_elements_text(:schemas::jsonb))
)
select distinct e.extname as extension, n.nspname as schema
from dumped join pg_depend needs on needs.classid = dumped.classid and needs.objid = dumped.objid and needs.deptype in ('n', 'a')
join pg_depend member on member.classid = needs.refclassid and member.objid = needs.refobjid and member.deptype = 'e'
join pg_extension e on member.refclassid = 'pg_extension'::regclass and e.oid = member.refobjid
join pg_namespace n on n.oid = e.extnamespace
where e.extname <> 'plpgsql' -- every database has it
order by e.extname
