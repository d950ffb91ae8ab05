-- title: One row per call asked for; one that never connected has no time of it.
-- columns: at timestamptz, cohort text, connected_at timestamptz
select created_at as at, case when flat_tables then 'canary' when not flat_tables then 'control' end as cohort,
  actual_start_time as connected_at
from public.call_sessions
