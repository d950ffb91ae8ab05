-- title: One row per logged database query.
-- columns: at timestamptz, cohort text, duration_ms double precision, name text
select created_at as at, case when flat_tables then 'canary' when not flat_tables then 'control' end as cohort,
  duration_ms, query_name as name
from public.db_query_logs
