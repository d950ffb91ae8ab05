-- title: How many calls took too long to connect, or never did?
-- why: A call that has not connected yet counts once it is past the limit, as bad, and is left out before.
-- sources: calls
-- params: as_of timestamptz = now, limit_ms float = kpis.call_setup_p95.limit
select at, canary, coalesce(took_ms, 'infinity') as value,
  case when took_ms is null then true when took_ms >= 0 then took_ms >= :limit_ms end as slow
from (
  select at, canary, case when connected_at <= :as_of then extract(epoch from connected_at - at) * 1000 end as took_ms from calls
) c
where took_ms is not null or :as_of - at >= :limit_ms * interval '1 millisecond'
