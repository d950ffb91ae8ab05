-- title: One row per event of the security audit log; the address is an inet here.
-- columns: event text, at timestamptz, kind text, client_ip text
select id::text as event, created_at as at, event_type as kind, host(ip_address) as client_ip
from public.security_audit_logs
