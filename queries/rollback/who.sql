-- title: As whom are we here, what may they do, and what time is it by the database?
select session_user::text as login, r.rolsuper as superuser,
  has_database_privilege(current_database(), 'create') as creates_schemas,
  coalesce(nullif(current_setting('golive.now', true), '')::timestamptz, now()) as at,
  coalesce(current_setting('golive.now', true), '') <> '' as fixed
from pg_roles r where r.rolname = current_user
