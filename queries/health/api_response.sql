-- title: Were API responses fast enough over the last hours?
-- why: The runbook's average is shown beside the percentiles; an average hides the tail, so P95 decides. A request without a
--   usable duration counts as endless: what timed out is often logged without one.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24, limit_ms float = kpis.api_p95.limit,
--   min_requests int = kpis.api_p95.min_events, fresh_s float = kpis.api_p95.freshness
-- needs: requests >= :min_requests and newest_age_seconds <= :fresh_s
-- expect: p95_ms < :limit_ms
-- fix: See which hours and paths are slow in notebooks/health.ipynb, and compare canary with control in notebooks/canary.ipynb.
select count(*) as requests, avg(duration_ms) as average_ms,
  percentile_cont(0.50) within group (order by usable) as p50_ms,
  percentile_cont(0.95) within group (order by usable) as p95_ms,
  percentile_cont(0.99) within group (order by usable) as p99_ms,
  count(*) filter (where usable = 'infinity') as unmeasured, extract(epoch from :as_of - max(at)) as newest_age_seconds
from (select at, duration_ms, case when duration_ms >= 0 then duration_ms else 'infinity' end as usable from api_requests) r
where at > :as_of - :hours * interval '1 hour' and at <= :as_of
