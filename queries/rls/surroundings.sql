-- title: Do the exposed schemas and the API's roles exist, does RLS bind these, and what else lies there?
-- params: schemas text
select 'schema' as kind, s as name, exists (select from pg_namespace where nspname = s) as found, '' as detail
from unnest(string_to_array(:schemas, ',')) s
union all
select 'role', r, exists (select from pg_roles where rolname = r),
  coalesce((select case when rolsuper then 'is a superuser' when rolbypassrls then 'bypasses RLS' end from pg_roles where rolname = r), '')
from unnest(array['anon', 'authenticated']) r
union all
select 'extension', e.extname, true, n.nspname from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where n.nspname = any (string_to_array(:schemas, ','))
union all
select 'outdated extension', name, true, format('%s, %s is there', installed_version, default_version) from pg_available_extensions
where installed_version <> default_version
order by 1, 2
