-- title: One row per API request; failed means the server's fault (5xx).
-- columns: at timestamptz, canary boolean, duration_ms double precision, failed boolean, path text
select created_at as at, flat_tables as canary,
  response_time_ms::double precision as duration_ms, status_code >= 500 as failed, path
from public.api_logs
