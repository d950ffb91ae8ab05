-- title: How many events of the security audit log were RLS violations?
-- why: The log has no cohort, so every violation counts; the other events show that the log is alive.
-- sources: security_events
select at, null::boolean as canary, event, client_ip, null::double precision as value,
  lower(btrim(kind)) = 'rls_violation' as violation
from security_events
