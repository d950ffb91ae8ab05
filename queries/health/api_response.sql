-- title: Were API responses fast enough over the last hours?
-- why: The runbook's average is shown beside the percentiles; an average hides the tail, so P95 decides.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24, limit_ms float = kpis.api_p95.limit,
--   min_requests int = kpis.api_p95.min_events, fresh_s float = kpis.api_p95.freshness
-- needs: requests >= :min_requests and newest_age_seconds <= :fresh_s
-- expect: p95_ms < :limit_ms
-- fix: See which hours and paths are slow in notebooks/health.ipynb, and compare canary with control.
select count(*) as requests, avg(duration_ms) as average_ms,
  percentile_cont(0.50) within group (order by duration_ms) as p50_ms,
  percentile_cont(0.95) within group (order by duration_ms) as p95_ms,
  percentile_cont(0.99) within group (order by duration_ms) as p99_ms,
  avg(failed::int) as failed_share, extract(epoch from :as_of - max(at)) as newest_age_seconds
from api_requests
where at > :as_of - :hours * interval '1 hour' and at <= :as_of
