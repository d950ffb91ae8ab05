-- title: One row per call asked for; one that never connected has no time of it.
-- columns: at timestamptz, canary boolean, connected_at timestamptz
select requested_at as at, flat_tables as canary, connected_at
from public.call_sessions
