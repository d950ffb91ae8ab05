-- title: One row per window of a reader's week, in the wall clock of its own time zone; those out of use are left out.
-- columns: reader uuid, weekday bigint, starts time, ends time, zone text
select reader_id as reader, day_of_week::bigint as weekday, start_time as starts, end_time as ends, timezone as zone
from public.reader_availability where is_active
