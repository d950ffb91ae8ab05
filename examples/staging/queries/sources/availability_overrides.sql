-- title: No rows: there is no table of changed hours here.
-- columns: reader uuid, day date, starts time, ends time, available boolean
select null::uuid as reader, null::date as day, null::time as starts, null::time as ends, null::boolean as available where false
