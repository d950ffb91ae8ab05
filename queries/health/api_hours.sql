-- title: How many API requests were there in each hour, how fast, and how many failed?
-- why: An hour without a request is a row with none, not a hole.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24
select h.at, count(r.at) as requests,
  percentile_cont(0.50) within group (order by r.duration_ms) as p50_ms,
  percentile_cont(0.95) within group (order by r.duration_ms) as p95_ms,
  percentile_cont(0.99) within group (order by r.duration_ms) as p99_ms,
  count(*) filter (where r.at is not null and r.failed is not false) as failed
from generate_series(:as_of - :hours * interval '1 hour', :as_of - interval '1 hour', interval '1 hour') as h (at)
left join api_requests r on r.at > h.at and r.at <= h.at + interval '1 hour'
group by h.at
order by h.at
