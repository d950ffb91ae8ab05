-- title: One row per emergency call; one that nobody answered has no time of it.
-- columns: at timestamptz, cohort text, answered_at timestamptz
select requested_at as at, case when flat_tables then 'canary' when not flat_tables then 'control' end as cohort, answered_at
from public.emergency_calls
