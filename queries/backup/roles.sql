-- title: Which roles do a dump's owners, grants and policies name?
-- why: Roles belong to the server: a dump names them, and a restore needs them there before it.
-- params: schemas text
with schemas as (
  select oid, nspowner, nspacl from pg_namespace
  where nspname in (select jsonb_array_elements_text(:schemas::jsonb))
), relations as (
  select oid, relowner, relacl from pg_class where relnamespace in (select oid from schemas)
), functions as (
  select proowner, proacl from pg_proc where pronamespace in (select oid from schemas)
), defaults as (
  select defaclrole, defaclacl from pg_default_acl where defaclnamespace in (select oid from schemas)
), acls(acl) as (
  select nspacl from schemas
  union all select relacl from relations
  union all select attacl from pg_attribute where attrelid in (select oid from relations)
  union all select proacl from functions
  union all select defaclacl from defaults
), named(role) as (
  select nspowner from schemas
  union select relowner from relations
  union select proowner from functions
  union select defaclrole from defaults
  union select unnest(array[granted.grantor, granted.grantee]) from acls, aclexplode(acl) granted
  union select unnest(polroles) from pg_policy where polrelid in (select oid from relations)
)
select r.rolname as role from named join pg_roles r on r.oid = named.role where r.rolname !~ '^pg_' order by r.rolname
