-- title: Who owns a table, is its row level security on, and who gets round it?
-- params: schema text, relation text
select pg_get_userbyid(c.relowner)::text as owner, c.relrowsecurity as row_security, c.relforcerowsecurity as forced,
  (select string_agg(r.rolname, ', ' order by r.rolname) from pg_roles r
    where (r.rolbypassrls or r.rolsuper) and has_table_privilege(r.oid, c.oid, 'insert')) as bypassing
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where c.relkind in ('r', 'p') and n.nspname = :schema and c.relname = :relation
