-- title: May an API role read a table as a whole, or only some of its columns, and does any policy let it?
-- why: Where RLS is on and no policy is the role's to read by, nobody is let in, whoever they are.
-- params: role text, schema text, relation text
select has_table_privilege(:role, c.oid, 'select') as whole, has_any_column_privilege(:role, c.oid, 'select') as partly,
  c.relrowsecurity and not exists (select from pg_policy p where p.polrelid = c.oid and p.polpermissive and p.polcmd in ('r', '*')
    and (0 = any (p.polroles) or exists (select from pg_roles r, pg_roles o
      where r.rolname = :role and o.oid = any (p.polroles) and pg_has_role(r.oid, o.oid, 'usage')))) as closed
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = :schema and c.relname = :relation
