-- title: One row per call with whom and for which booking; one that never connected, or goes on, has no time of it.
-- columns: call text, booking text, client uuid, reader uuid, kind text, at timestamptz, connected_at timestamptz,
--   ended_at timestamptz, status text
select id::text as call, booking_id::text as booking, client_id as client, reader_id as reader, call_type as kind, created_at as at,
  actual_start_time as connected_at, actual_end_time as ended_at, status
from public.call_sessions
