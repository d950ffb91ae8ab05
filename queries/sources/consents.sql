-- title: One row per consent to a call, by whom and when; no address is null or empty text, and every row is a yes.
-- columns: consent text, at timestamptz, client_ip text, call text, person uuid, given_at timestamptz, given boolean
select id::text as consent, created_at as at, client_ip::text as client_ip, call_id::text as call, user_id as person, consented_at as given_at, true as given from public.call_consent_logs
