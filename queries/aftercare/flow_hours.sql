-- title: How many events of each kind were there in each hour of a window, and is any there twice?
-- why: What an app stops writing cannot be seen in the shares of what it goes on writing.
-- sources: bookings, payment_attempts, talks, recordings, consents, sirens, security_events
-- params: since timestamptz, until timestamptz
select kind, floor(extract(epoch from at - :since) / 3600)::bigint as hour, count(*) as events, count(id) - count(distinct id) as twice,
  max(at) as newest
from (
  select 'bookings' as kind, at, booking as id from bookings
  union all select 'payments tried', at, payment from payment_attempts
  union all select 'calls connected', connected_at, call from talks
  union all select 'recordings', started_at, recording from recordings
  union all select 'consents', at, consent from consents
  union all select 'emergency calls', at, null from sirens
  union all select 'audit events', at, event from security_events
) e
where at >= :since and at < :until
group by 1, 2
order by 1, 2
