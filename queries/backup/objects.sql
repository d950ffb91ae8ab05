-- title: How many objects of each kind do these schemas hold?
-- why: Rows alone do not make a database: a restore must bring back its keys, policies and functions, too.
-- params: schemas text
with schemas as (
  select oid from pg_namespace where nspname in (select jsonb_array_elements_text(:schemas::jsonb))
), brought as ( -- by an extension, which a dump only names
  select classid, objid from pg_depend where deptype = 'e'
), relations as (
  select c.oid, c.relkind, c.relrowsecurity from pg_class c
  where c.relnamespace in (select oid from schemas) and ('pg_class'::regclass, c.oid) not in (select * from brought)
), kinds(kind, objects) as (
  select case relkind when 'v' then 'views' when 'm' then 'materialized views' when 'S' then 'sequences'
    when 'f' then 'foreign tables' else 'tables' end, count(*)
  from relations where relkind in ('r', 'p', 'v', 'm', 'S', 'f') group by 1
  union all
  select 'tables with RLS', count(*) from relations where relrowsecurity
  union all
  select 'indexes', count(*) from pg_index where indisvalid and indrelid in (select oid from relations)
  union all
  select 'policies', count(*) from pg_policy where polrelid in (select oid from relations)
  union all -- servers differ in how they keep what is not null, and keys copied to partitions
  select 'constraints', count(*) from pg_constraint
  where contype in ('p', 'u', 'f', 'c', 'x') and conparentid = 0 and conrelid in (select oid from relations)
  union all
  select 'triggers', count(*) from pg_trigger
  where not tgisinternal and tgparentid = 0 and tgrelid in (select oid from relations)
  union all
  select 'functions', count(*) from pg_proc p
  where p.pronamespace in (select oid from schemas) and ('pg_proc'::regclass, p.oid) not in (select * from brought)
)
select kind, objects from kinds where objects > 0 order by kind
