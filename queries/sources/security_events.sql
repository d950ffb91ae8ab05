-- title: One row per event of the security audit log.
-- columns: event text, at timestamptz, kind text, client_ip text
select id::text as event, created_at as at, event_type as kind, client_ip::text as client_ip from public.security_audit_logs
