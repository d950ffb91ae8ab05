-- title: One row per API request; failed means the server's fault (5xx).
-- columns: at timestamptz, cohort text, duration_ms double precision, failed boolean, path text
select created_at as at, case when flat_tables then 'canary' when not flat_tables then 'control' end as cohort,
  response_time_ms::double precision as duration_ms, status_code >= 500 as failed, path
from public.api_logs
