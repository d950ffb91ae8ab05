-- title: One row per consent to a call; the address is an inet here, and one to something else than recording is no answer.
-- columns: consent text, at timestamptz, client_ip text, call text, person uuid, given_at timestamptz, given boolean
select id::text as consent, created_at as at, host(ip_address) as client_ip, call_session_id::text as call, user_id as person,
  consent_timestamp as given_at, case when consent_type = 'recording' then consent_status = 'given' end as given
from public.call_consent_logs
