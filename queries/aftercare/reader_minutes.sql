-- title: How much of the hours that readers offered did they talk, per reader and per hour of the local week?
-- why: A window is laid on each day of its own time zone and goes past midnight when it ends no later than it begins. Overlapping
--   windows, and overlapping calls, count once. On one local day a change without times and not available drops the windows that
--   begin that day, with times it cuts those hours; hours added win over both. A change is in the time zone of most of the
--   reader's windows, else the launch's. Clocks put back: a time that comes twice is its second; put forward: one that never
--   comes is as much later. A call without an end lasts as long as was booked, else four hours, and no longer than until now; one that ends
--   before it began is left out, as are test accounts and whoever is no reader. Calls and windows that begin within another
--   are counted as overlapping. Cancelled bookings book nothing. Idle and overloaded are limits of the plan on used over offered.
-- sources: people, availability, availability_overrides, bookings, talks
-- params: since timestamptz, until timestamptz, zone text, idle float = aftercare.idle, overloaded float = aftercare.overloaded
select answer.*,
  case when level <> 'reader' then null when share is null then 'no hours' when share > :overloaded then 'overloaded'
    when share < :idle then 'idle' else 'in use' end as state
from (
with zones as materialized (select name as zone, lower(name) as called from pg_timezone_names),
readers as materialized (select distinct person as reader from people where role = 'reader' and not is_test),
tests as materialized (select person from people where is_test),
whole as (select tstzmultirange(tstzrange(:since, :until)) as span),
days as (
  select day::date
  from generate_series((:since at time zone 'UTC')::date - 2, (:until at time zone 'UTC')::date + 1, interval '1 day') day),
week as materialized (
  select a.reader, a.weekday, a.starts, a.ends, z.zone
  from availability a join readers using (reader) join zones z on z.called = lower(a.zone)),
homes as (select reader, mode() within group (order by zone) as zone from week group by reader),
changes as materialized (
  select reader, day, available, whole_day,
    tstzrange(begins, greatest(begins, (day + (ends <= starts)::int + ends) at time zone zone)) as during
  from (
    select o.reader, o.day, o.available, o.starts is null as whole_day, p.*, h.zone, (o.day + p.starts) at time zone h.zone as begins
    from availability_overrides o join readers using (reader) left join homes using (reader),
      lateral (select coalesce(homes.zone, :zone) as zone) h,
      lateral (select coalesce(o.starts, '00:00') as starts,
        case when o.starts is null then '24:00' else coalesce(o.ends, '24:00') end as ends) p
    where o.day in (select day from days)
  ) c),
opened as materialized (
  select reader, tstzrange(begins, greatest(begins, ends)) as during
  from (
    select w.reader, (d.day + w.starts) at time zone w.zone as begins,
      (d.day + (w.ends <= w.starts)::int + w.ends) at time zone w.zone as ends
    from week w join days d on extract(dow from d.day) = w.weekday
    where not exists (select from changes c where c.reader = w.reader and c.day = d.day and c.whole_day and not c.available)
  ) w),
offered as (
  select reader, (coalesce(regular, '{}') - coalesce(cut, '{}') + coalesce(added, '{}')) * span as spells
  from (select reader, range_agg(during) as regular from opened group by reader) o
    full join (
      select reader, range_agg(during) filter (where not available and not whole_day) as cut,
        range_agg(during) filter (where available) as added
      from changes group by reader) c using (reader), whole),
booked as (
  select reader, range_agg(tstzrange(scheduled_at, scheduled_at + greatest(minutes, 0) * interval '1 minute')) * span as spells
  from bookings join readers using (reader), whole
  where scheduled_at < :until and scheduled_at >= :since - interval '1 day' and status is distinct from 'cancelled' and not by_test
  group by reader, span),
held as materialized (
  select reader, during, connected_at,
    connected_at < max(upper(during)) over (partition by reader order by connected_at, call
      rows between unbounded preceding and 1 preceding) as overlapping
  from (
    select t.reader, t.call, t.connected_at,
      tstzrange(t.connected_at, coalesce(t.ended_at, greatest(t.connected_at,
        least(:until, t.connected_at + coalesce(b.minutes, 240) * interval '1 minute')))) as during
    from talks t join readers using (reader) left join bookings b using (booking)
    where t.connected_at < :until and (t.ended_at is null or t.ended_at >= greatest(t.connected_at, :since))
      and not exists (select from tests where person = t.client)
  ) c),
talked as (select reader, range_agg(during) * span as spells from held, whole group by reader, span),
merged as materialized (
  select reader, coalesce(o.spells, '{}') as offered, coalesce(b.spells, '{}') as booked, coalesce(t.spells, '{}') as talked
  from offered o full join booked b using (reader) full join talked t using (reader)),
spells as (
  select reader, what, unnest(ranges) as during
  from merged,
    lateral (values ('offered', offered), ('booked', booked), ('talked', talked), ('used', talked * offered)) v (what, ranges)),
-- half an hour never reaches across the hour of a wall clock, wherever it is
parts as (
  select reader, what, at,
    extract(epoch from least(upper(during), at + interval '30 minutes') - greatest(lower(during), at)) / 60 as amount
  from spells, generate_series(date_trunc('hour', lower(during), :zone), upper(during), interval '30 minutes') at
  where at < upper(during) and at + interval '30 minutes' > lower(during)
  union all
  select reader, kind, connected_at, 1
  from held join merged using (reader),
    lateral (values ('call', true), ('outside', not offered @> connected_at), ('overlapping', overlapping)) k (kind, counts)
  where counts and connected_at >= :since
  union all
  select reader, 'double window', lower(during), 1
  from (select *, lower(during) < max(upper(during)) over (partition by reader order by lower(during), upper(during)
    rows between unbounded preceding and 1 preceding) as overlapping from opened) o
  where overlapping and lower(during) < :until and upper(during) > :since),
sums as (
  select case when grouping(reader) = 0 then 'reader' when grouping(weekday) = 0 then 'hour' else 'all' end as level,
    reader, weekday, hour,
    coalesce(sum(amount) filter (where what = 'offered'), 0) as offered_minutes,
    case when exists (select from bookings where minutes is not null) then coalesce(sum(amount) filter (where what = 'booked'), 0) end
      as booked_minutes,
    coalesce(sum(amount) filter (where what = 'talked'), 0) as talked_minutes,
    coalesce(sum(amount) filter (where what = 'used'), 0) as used_minutes,
    count(*) filter (where what = 'call') as calls,
    count(*) filter (where what = 'outside') as calls_outside,
    count(*) filter (where what = 'overlapping') as calls_overlapping,
    count(*) filter (where what = 'double window') as windows_overlapping
  from (select *, extract(dow from at at time zone :zone)::bigint as weekday, extract(hour from at at time zone :zone)::bigint as hour
    from parts) p
  group by grouping sets ((reader), (weekday, hour), ()))
select *, talked_minutes - used_minutes as outside_minutes, used_minutes / nullif(offered_minutes, 0) as share from sums) answer
order by level, weekday, hour, share > :overloaded desc nulls last, share < :idle desc nulls last,
  case when share < :idle then share end, share desc, offered_minutes desc, talked_minutes desc, reader
