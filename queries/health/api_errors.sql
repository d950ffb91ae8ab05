-- title: Did few enough API requests fail over the last hours?
-- why: A request of which nobody can say whether it failed counts as failed.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24, limit_share float = kpis.api_errors.limit,
--   min_requests int = kpis.api_errors.min_events, fresh_s float = kpis.api_errors.freshness
-- needs: requests >= :min_requests and newest_age_seconds <= :fresh_s
-- expect: failed_share < :limit_share
-- fix: See which paths fail in notebooks/health.ipynb, and what the canary has to do with it in notebooks/canary.ipynb.
select count(*) as requests, count(*) filter (where failed is not false) as failed,
  avg((failed is not false)::int) as failed_share, extract(epoch from :as_of - max(at)) as newest_age_seconds
from api_requests
where at > :as_of - :hours * interval '1 hour' and at <= :as_of
