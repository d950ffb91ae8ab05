-- title: Was there no RLS violation over the last hours?
-- why: Every event of the audit log is examined; a log with no event at all, or a stale one, proves nothing.
-- sources: security_events
-- params: as_of timestamptz = now, hours int = 24, fresh_s float = kpis.rls_violations.freshness
-- needs: newest_age_seconds <= :fresh_s
-- expect: lower(btrim(kind)) <> 'rls_violation'
-- fix: Find the request behind each event listed; one violation stops the launch.
select event, at, kind, client_ip, extract(epoch from :as_of - max(at) over ()) as newest_age_seconds
from security_events
where at > :as_of - :hours * interval '1 hour' and at <= :as_of
order by at desc
