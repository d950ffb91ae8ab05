-- title: Which statements took most of the server's time?
-- why: The extension may live in any schema, so its view is asked for by a name put together here, which takes a server with libxml, as
--   Supabase's is. Literals are left out: a statement that is no query is kept as it was written, with the passwords in it.
-- params: most int = 10
select s.statement, s.calls, s.total_ms, s.mean_ms, s.total_ms / nullif(s.all_ms, 0) as time_share
from pg_extension e join pg_namespace n on n.oid = e.extnamespace
cross join lateral query_to_xml(format(
  'select left(regexp_replace(regexp_replace(query, $q$''(''''|[^''])*''$q$, $q$''?''$q$, ''g''), $q$[[:cntrl:][:space:]]+$q$, '' '', ''g''), 300) '
  'as statement, calls, total_exec_time as total_ms, mean_exec_time as mean_ms, all_ms from (select *, sum(total_exec_time) over () as all_ms '
  'from %I.pg_stat_statements where dbid = (select oid from pg_database where datname = current_database())) s '
  'order by total_exec_time desc limit %s', n.nspname, :most), true, false, '') as found
cross join lateral xmltable('/table/row' passing found columns statement text path 'statement', calls bigint path 'calls',
  total_ms float8 path 'total_ms', mean_ms float8 path 'mean_ms', all_ms float8 path 'all_ms') as s
where e.extname = 'pg_stat_statements'
order by s.total_ms desc
