-- title: How fast was the API in each hour, and in the same hour of the stretch before?
-- why: An hour without a request is a row with none, not a hole.
-- sources: api_requests
-- params: since timestamptz, until timestamptz, before_since timestamptz, before_until timestamptz
select * from (
with grouped as (
  select now, hour, count(*) as requests, count(*) filter (where failed) as failed,
    least(percentile_cont(0.50) within group (order by usable), 'infinity') as p50_ms,
    least(percentile_cont(0.95) within group (order by usable), 'infinity') as p95_ms,
    least(percentile_cont(0.99) within group (order by usable), 'infinity') as p99_ms
  from (
    select at >= :since as now, failed is not false as failed,
      floor(extract(epoch from at - case when at >= :since then :since else :before_since end) / 3600)::int as hour,
      case when duration_ms >= 0 and duration_ms < 'infinity' then duration_ms else 'infinity' end as usable
    from api_requests
    where (at >= :since and at < :until) or (at >= :before_since and at < :before_until)
  ) r
  group by now, hour
)
select :since + h.hour * interval '1 hour' as at, coalesce(n.requests, 0) as requests, n.failed, n.p50_ms, n.p95_ms, n.p99_ms,
  coalesce(b.requests, 0) as requests_before, b.p50_ms as p50_before_ms, b.p95_ms as p95_before_ms
from generate_series(0, ceil(extract(epoch from :until - :since) / 3600)::int - 1) as h (hour)
left join grouped n on n.now and n.hour = h.hour
left join grouped b on not b.now and b.hour = h.hour
order by at
) answer
