-- title: Which API paths changed most against the stretch of time before?
-- why: A path is slower when more of its requests take longer than its own P95 before, and worse when more of them fail. What
--   counts is how far the change reaches beyond noise: the near end of Newcombe's interval for the difference of two shares (from
--   Wilson's of each; 1998, method 10), at z = 3.29 wrong once in a thousand, so that a path of three requests leads nothing.
--   Paths that went away come first, those that are new last.
-- sources: api_requests
-- params: since timestamptz, until timestamptz, before_since timestamptz, before_until timestamptz, z float = 3.29,
--   least int = 200, most int = 1000
select * from (
with seen as not materialized (
  select coalesce(path, '(no path)') as path, at >= :since as now, failed is not false as failed,
    case when duration_ms >= 0 and duration_ms < 'infinity' then duration_ms else 'infinity' end as usable
  from api_requests
  where (at >= :since and at < :until) or (at >= :before_since and at < :before_until)
), counted as (
  select path, now, count(*) as n, count(*) filter (where failed) as failed,
    least(percentile_cont(0.95) within group (order by usable), 'infinity') as p95_ms
  from seen group by path, now
), slower as (
  select s.path, count(*) filter (where s.now) as n, count(*) filter (where not s.now) as n_before
  from seen s join counted b on b.path = s.path and not b.now
  where s.usable > b.p95_ms group by s.path
), paths as (
  select path, coalesce(a.n, 0) as requests, coalesce(b.n, 0) as requests_before, a.p95_ms, b.p95_ms as p95_before_ms,
    a.failed, b.failed as failed_before, coalesce(s.n, 0) as slower, coalesce(s.n_before, 0) as slower_before
  from (select * from counted where now) a full join (select * from counted where not now) b using (path) left join slower s using (path)
), changes as (
  select distinct on (path) path, kind, c.now - c.before as change_share, low, high, greatest(low, -high) as beyond
  from paths
  cross join lateral (values ('slower', slower, slower_before), ('failed', failed, failed_before)) m (kind, bad, bad_before)
  cross join lateral (select bad::float8 / requests as now, bad_before::float8 / requests_before as before,
    (bad + :z ^ 2 / 2) / (requests + :z ^ 2) as centre,
    :z * sqrt(bad * (requests - bad)::float8 / requests + :z ^ 2 / 4) / (requests + :z ^ 2) as half,
    (bad_before + :z ^ 2 / 2) / (requests_before + :z ^ 2) as centre_before,
    :z * sqrt(bad_before * (requests_before - bad_before)::float8 / requests_before + :z ^ 2 / 4) / (requests_before + :z ^ 2)
      as half_before) c
  cross join lateral (select
    c.now - c.before - sqrt((c.now - centre + half) ^ 2 + (centre_before + half_before - c.before) ^ 2) as low,
    c.now - c.before + sqrt((centre + half - c.now) ^ 2 + (c.before - centre_before + half_before) ^ 2) as high) i
  where requests > 0 and requests_before > 0
  order by path, beyond desc
)
select path, requests, requests_before, p95_ms, p95_before_ms, failed::float8 / nullif(requests, 0) as failed_share,
  failed_before::float8 / nullif(requests_before, 0) as failed_before_share,
  case when requests_before = 0 then 'new' when requests = 0 then 'gone' when beyond <= 0 then 'no change shown'
    when kind = 'failed' then case when low > 0 then 'fails more' else 'fails less' end
    when low > 0 then 'slower' else 'faster' end as change,
  change_share, beyond
from paths left join changes using (path)
order by requests = 0 and requests_before >= :least desc, beyond desc nulls last, requests desc, path
limit :most
) answer
