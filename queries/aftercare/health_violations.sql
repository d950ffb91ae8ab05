-- title: Which RLS violations were there?
-- sources: security_events
-- params: since timestamptz, until timestamptz, most int = 20
-- fix: Find the request behind each event; one violation stops a launch.
select event, at, kind, client_ip
from security_events
where at >= :since and at < :until and lower(btrim(kind)) = 'rls_violation'
order by at desc
limit :most
