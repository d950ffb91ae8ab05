-- title: One row per emergency call; one that nobody answered has no time of it.
-- columns: at timestamptz, canary boolean, answered_at timestamptz
select requested_at as at, flat_tables as canary,
  accepted_at as answered_at
from public.emergency_call_requests
