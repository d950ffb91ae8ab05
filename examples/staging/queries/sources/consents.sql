-- title: One row per consent to a call; the address is an inet here.
-- columns: consent text, at timestamptz, client_ip text
select id::text as consent, created_at as at, host(ip_address) as client_ip from public.call_consent_logs
