-- title: Which named database queries were over the limit on P95?
-- why: Named as the app logs them, with at least 20 calls in the window. One without a usable duration counts as endless.
-- sources: db_queries
-- params: since timestamptz, until timestamptz, limit_ms float = kpis.db_p95.limit, least int = 20, most int = 100
-- fix: Explain the query with the values of a slow call.
select coalesce(name, '(no name)') as name, calls, p50_ms, p95_ms, slow::float8 / calls as slow_share
from (
  select name, count(*) as calls, count(*) filter (where usable >= :limit_ms) as slow,
    least(percentile_cont(0.50) within group (order by usable), 'infinity') as p50_ms,
    least(percentile_cont(0.95) within group (order by usable), 'infinity') as p95_ms
  from (
    select name, case when duration_ms >= 0 and duration_ms < 'infinity' then duration_ms else 'infinity' end as usable
    from db_queries where at >= :since and at < :until
  ) q
  group by name
) n
where calls >= :least and p95_ms >= :limit_ms
order by p95_ms desc, calls desc
limit :most
