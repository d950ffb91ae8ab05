-- title: One row per logged database query.
-- columns: at timestamptz, canary boolean, duration_ms double precision, name text
select created_at as at, flat_tables as canary,
  duration_ms, query_name as name
from public.db_query_logs
