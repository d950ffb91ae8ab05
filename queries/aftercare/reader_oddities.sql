-- title: Which windows and calls could not be counted, or only in part?
-- why: Each is counted under the first of its faults. A call without an end is taken to go on for up to an hour
--   longer than was booked, or for four hours where nobody knows; after that its end is missing.
-- sources: people, availability, bookings, talks
-- params: since timestamptz, until timestamptz
select * from (
with zones as materialized (select lower(name) as called from pg_timezone_names),
windows as (
  select a.zone, case when p.role is distinct from 'reader' then 'not a reader' when p.is_test then 'test'
    when weekday is null or weekday not between 0 and 6 or starts is null or ends is null then 'unreadable'
    when z.called is null then 'unknown zone' end as fault
  from availability a left join people p on p.person = a.reader left join zones z on z.called = lower(a.zone)),
held as (
  select case when r.role is distinct from 'reader' then 'not a reader' when r.is_test or c.is_test then 'test'
      when t.ended_at < t.connected_at then 'backwards'
      when t.ended_at is null then case when t.connected_at + (coalesce(b.minutes, 180) + 60) * interval '1 minute' >= :until
        then 'running' else 'open' end
    end as fault
  from talks t left join people r on r.person = t.reader left join people c on c.person = t.client left join bookings b using (booking)
  where t.connected_at < :until and :since <= case when t.ended_at is null
    then coalesce(t.connected_at + b.minutes * interval '1 minute', :until) else greatest(t.ended_at, t.connected_at) end)
select (select count(*) from windows) as windows,
  (select count(*) from windows where fault = 'not a reader') as windows_strangers,
  (select count(*) from windows where fault = 'test') as windows_tests,
  (select count(*) from windows where fault = 'unreadable') as windows_unreadable,
  (select count(*) from windows where fault = 'unknown zone') as windows_zone,
  (select string_agg(zone, ', ' order by zone) from (
    select distinct coalesce(left(zone, 40), 'none') as zone from windows where fault = 'unknown zone' order by 1 limit 3) z) as zones,
  (select count(*) from held where fault = 'not a reader') as calls_strangers,
  (select count(*) from held where fault = 'test') as calls_tests,
  (select count(*) from held where fault = 'backwards') as calls_backwards,
  (select count(*) from held where fault = 'running') as calls_running,
  (select count(*) from held where fault = 'open') as calls_open,
  (select count(*) from bookings where minutes is null and not by_test and scheduled_at >= :since and scheduled_at < :until)
    as bookings_without_minutes,
  (select min(at) from talks) as known_since
) answer
