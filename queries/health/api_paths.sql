-- title: Which API paths were slowest?
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24, paths int = 10
select path, count(*) as requests,
  percentile_cont(0.50) within group (order by duration_ms) as p50_ms,
  percentile_cont(0.95) within group (order by duration_ms) as p95_ms,
  avg((failed is not false)::int) as failed_share
from api_requests
where at > :as_of - :hours * interval '1 hour' and at <= :as_of
group by path
order by p95_ms desc
limit :paths
