-- title: What share of those who asked for a reader found none?
-- why: An emergency call asks, and finds none when nobody answers. A booking asks when it is due, and finds none when it has no
--   reader, or when its call was asked for and no call of it connected; a booking that somebody cancelled had found one. A call
--   without a booking asks for itself. What was asked for within the plan's maturity before the end is not judged yet. Bookings
--   and calls of test accounts are left out; an emergency call does not say whose it is.
-- sources: people, sirens, bookings, talks
-- params: since timestamptz, until timestamptz, maturity_s float = judge.maturity
select * from (
with horizon as (select :until - :maturity_s * interval '1 second' as until),
tried as (
  select booking, bool_or(coalesce(connected_at <= :until, false)) as connected
  from talks, horizon where booking is not null and at < horizon.until group by booking),
asked as (
  select 'emergency calls' as kind, false as no_reader, coalesce(answered_at > :until, true) as unanswered
  from sirens, horizon where at >= :since and at < horizon.until
  union all
  select 'bookings', reader is null, reader is not null and not coalesce(connected, true)
  from bookings left join tried using (booking), horizon
  where coalesce(scheduled_at, at) >= :since and coalesce(scheduled_at, at) < horizon.until and not by_test
  union all
  select 'calls without a booking', reader is null, reader is not null and coalesce(connected_at > :until, true)
  from talks left join people on person = client, horizon
  where booking is null and at >= :since and at < horizon.until and is_test is not true)
select coalesce(kind, 'all') as kind, count(*) as asked, count(*) filter (where no_reader) as no_reader,
  count(*) filter (where unanswered) as unanswered, count(*) filter (where no_reader or unanswered) as unmet,
  count(*) filter (where no_reader or unanswered) / nullif(count(*), 0)::double precision as unmet_share
from asked group by rollup (kind)) answer
order by kind = 'all' desc, kind
