-- title: How many API requests were there in a stretch of time, how fast, and how many failed?
-- why: An average hides the tail, so the percentiles stand beside it. A request without a usable duration counts as endless: what
--   timed out is often logged without one; only the average leaves it out. Hours before the first request ever do not count.
-- sources: api_requests
-- params: since timestamptz, until timestamptz, limit_ms float = kpis.api_p95.limit
select requests, requests / nullif(hours, 0) as per_hour, hours, average_ms, p50_ms, p95_ms, p99_ms, slow, unmeasured, failed,
  failed::float8 / nullif(requests, 0) as failed_share, newest
from (
  select count(*) as requests, avg(usable) filter (where usable < 'infinity') as average_ms,
    case when count(*) > 0 then least(percentile_cont(0.50) within group (order by usable), 'infinity') end as p50_ms,
    case when count(*) > 0 then least(percentile_cont(0.95) within group (order by usable), 'infinity') end as p95_ms,
    case when count(*) > 0 then least(percentile_cont(0.99) within group (order by usable), 'infinity') end as p99_ms,
    count(*) filter (where usable >= :limit_ms) as slow, count(*) filter (where usable = 'infinity') as unmeasured,
    count(*) filter (where failed is not false) as failed, max(at) as newest
  from (
    select at, failed, case when duration_ms >= 0 and duration_ms < 'infinity' then duration_ms else 'infinity' end as usable
    from api_requests where at >= :since and at < :until
  ) r
) t
cross join (
  select greatest(extract(epoch from :until - greatest(:since, min(at))), 0)::float8 / 3600 as hours from api_requests
) h
