-- title: Who is connected, to what, and what may it do?
select current_user as role, session_user as login, current_database() as database,
  current_setting('server_version') as server_version, current_setting('server_version_num')::bigint as version_number,
  r.rolsuper as superuser, r.rolbypassrls or r.rolsuper as sees_every_row,
  pg_has_role(current_user, 'pg_read_all_data', 'usage') as reads_all_data,
  (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where c.relkind in ('r', 'p') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_'
      and has_table_privilege(c.oid, 'insert, update, delete, truncate')) as writable_tables
from pg_roles r
where r.rolname = current_user
