-- title: One row per change of a reader's hours on one local day; without a start it is the whole day.
-- columns: reader uuid, day date, starts time, ends time, available boolean
select reader_id as reader, day, start_time as starts, end_time as ends, available from public.availability_overrides
