-- title: Which API paths were over the limit on P95?
-- why: With at least 20 requests in the window. One without a usable duration counts as endless.
-- sources: api_requests
-- params: since timestamptz, until timestamptz, limit_ms float = kpis.api_p95.limit, least int = 20, most int = 100
-- fix: Look at what was released for the path, and at the queries it makes.
select coalesce(path, '(no path)') as path, requests, p50_ms, p95_ms, slow::float8 / requests as slow_share
from (
  select path, count(*) as requests, count(*) filter (where usable >= :limit_ms) as slow,
    least(percentile_cont(0.50) within group (order by usable), 'infinity') as p50_ms,
    least(percentile_cont(0.95) within group (order by usable), 'infinity') as p95_ms
  from (
    select path, case when duration_ms >= 0 and duration_ms < 'infinity' then duration_ms else 'infinity' end as usable
    from api_requests where at >= :since and at < :until
  ) r
  group by path
) p
where requests >= :least and p95_ms >= :limit_ms
order by p95_ms desc, requests desc, path
limit :most
