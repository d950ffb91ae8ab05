-- title: One row per window of a reader's week, in the wall clock of its own time zone; weekday 0 is Sunday.
-- columns: reader uuid, weekday bigint, starts time, ends time, zone text
select reader_id as reader, weekday::bigint as weekday, start_time as starts, end_time as ends, timezone as zone
from public.reader_availability
