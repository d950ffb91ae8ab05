-- title: Did the security audit log speak, and how many RLS violations does it hold?
-- why: A log without any event, or a stale one, proves nothing.
-- sources: security_events
-- params: since timestamptz, until timestamptz
select count(*) as events, count(*) filter (where lower(btrim(kind)) = 'rls_violation') as violations, max(at) as newest
from security_events
where at >= :since and at < :until
