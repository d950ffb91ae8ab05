-- title: When were there no API requests for longer than telemetry may be silent?
-- why: By the hour on either side some requests were due; a gap where fewer than `due` were may be an accident (1 in 10,000 for 9.2).
--   The silence at the end is the age of the newest request, which is judged by itself.
-- sources: api_requests
-- params: since timestamptz, until timestamptz, fresh_s float = kpis.api_p95.freshness, due float = 9.2, most int = 20
select g.since, g.until, g.seconds, g.seconds * around.requests / 7200 as expected
from (
  select lag(at, 1, :since) over (order by at) as since, at as until,
    extract(epoch from at - lag(at, 1, :since) over (order by at))::float8 as seconds
  from api_requests where at >= :since and at < :until
) g
cross join lateral (
  select count(*) as requests from api_requests r
  where r.at >= g.since - interval '1 hour' and r.at <= g.until + interval '1 hour'
) around
where g.seconds > :fresh_s and g.seconds * around.requests / 7200 >= :due
order by g.seconds desc
limit :most
