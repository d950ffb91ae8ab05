-- title: Did API requests keep coming, compared with the same minutes of earlier days?
-- why: A slot with less than a fifth of its usual requests means that traffic or telemetry stopped: unknown, never green.
--   Usual is the median of the earlier days that had any traffic; without such a day nothing is usual, and nothing is known.
--   Without an index each request is put into its slot in one pass, where the live database is asked slot by slot.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24, slot_minutes int = 5, days int = 7, quiet int = 10
-- needs: in_window > 0 and usual is not null and (requests >= 0.2 * usual or usual < :quiet)
-- expect: true
-- fix: Ask whether the app, the log or its shipping stopped in the slots listed; nothing about them can be judged.
select * from (
with slots as (
  select s.at from generate_series(
    date_bin(:slot_minutes * interval '1 minute', :as_of - :hours * interval '1 hour', timestamptz '2000-01-01 00:00Z'),
    :as_of - :slot_minutes * interval '1 minute', :slot_minutes * interval '1 minute') as s (at)
), days as (
  select d.back, min(s.at) - d.back * interval '1 day' as since,
    max(s.at) - d.back * interval '1 day' + :slot_minutes * interval '1 minute' as until
  from slots s cross join generate_series(0, :days) as d (back)
  group by d.back
), seen as (
  select d.back, date_bin(:slot_minutes * interval '1 minute', r.at, d.since) as at, count(*) as requests
  from api_requests r join days d on r.at >= d.since and r.at < d.until
  where r.at <= :as_of
    and r.at >= :as_of - :hours * interval '1 hour' - :days * interval '1 day' - :slot_minutes * interval '1 minute'
  group by 1, 2
), counted as (
  select s.at, d.back, coalesce(c.requests, 0) as requests,
    sum(coalesce(c.requests, 0)) over (partition by d.back) as on_day
  from slots s cross join days d left join seen c on c.back = d.back and c.at = s.at - d.back * interval '1 day'
)
select at, max(requests) filter (where back = 0) as requests,
  percentile_cont(0.5) within group (order by requests) filter (where back > 0 and on_day > 0) as usual,
  max(on_day) filter (where back = 0) as in_window
from counted
group by at
order by at
) answer
