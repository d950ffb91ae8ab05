-- title: One row per consent to a call; no address is null or empty text.
-- columns: consent text, at timestamptz, client_ip text
select id::text as consent, created_at as at, client_ip::text as client_ip from public.call_consent_logs
