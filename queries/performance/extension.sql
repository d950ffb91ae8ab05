-- title: Is pg_stat_statements there, and may this role read the texts of others?
select quote_ident(n.nspname) as schema, pg_has_role(current_user, 'pg_read_all_stats', 'usage') as reads_texts
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
where e.extname = 'pg_stat_statements'
