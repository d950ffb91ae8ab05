-- title: One row per call asked for; one that never connected has no time of it.
-- columns: at timestamptz, canary boolean, connected_at timestamptz
select created_at as at, flat_tables as canary,
  actual_start_time as connected_at
from public.call_sessions
