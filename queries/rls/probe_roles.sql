-- title: Which of the API's roles are there, does RLS bind them, and does the app have auth.uid()?
-- params: role text
select r.rolname as role, r.rolsuper or r.rolbypassrls as bypasses,
  exists (select from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname = 'auth' and p.proname = 'uid' and p.pronargs = 0) as has_uid
from pg_roles r where r.rolname = :role
