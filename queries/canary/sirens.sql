-- title: How many sirens were answered too late, or never?
-- why: A siren that rings still counts once it is past the limit, as bad, and is left out before.
-- sources: sirens
-- params: as_of timestamptz = now, limit_s float = kpis.siren_p90.limit
select at, canary, coalesce(took_s, 'infinity') as value,
  case when took_s is null then true when took_s >= 0 then took_s >= :limit_s end as late
from (
  select at, canary, case when answered_at <= :as_of then extract(epoch from answered_at - at) end as took_s from sirens
) s
where took_s is not null or :as_of - at >= :limit_s * interval '1 second'
