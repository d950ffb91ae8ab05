-- title: May an API role read a table as a whole, or only some of its columns?
-- params: role text, schema text, relation text
select has_table_privilege(:role, c.oid, 'select') as whole, has_any_column_privilege(:role, c.oid, 'select') as partly
from pg_class c join pg_namespace n on n.oid = c.relnamespace
where n.nspname = :schema and c.relname = :relation
