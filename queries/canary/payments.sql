-- title: How many payments failed?
-- why: A payment counts when it settles. A pending one is left out until it is older than the time to settle, then it is bad
--   from that moment on, whatever becomes of it. Test payments do not count.
-- sources: payments
-- params: as_of timestamptz = now, since timestamptz = now, settle_minutes float = 60
select known_at as at, canary, null::double precision as value,
  case when settled_at <= at + :settle_minutes * interval '1 minute' then not succeeded else true end as failed
from (
  select *, least(settled_at, at + :settle_minutes * interval '1 minute') as known_at
  from payments
  where not is_test and at >= :since - :settle_minutes * interval '1 minute'
) p
where known_at <= :as_of
