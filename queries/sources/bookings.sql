-- title: One row per booking: who asked which reader, when, for how long, and on what; role is that of whoever booked.
-- columns: booking text, client uuid, reader uuid, at timestamptz, scheduled_at timestamptz, minutes double precision,
--   kind text, device text, role text, status text, by_test boolean
select b.id::text as booking, b.client_id as client, b.reader_id as reader, b.created_at as at, b.scheduled_at,
  b.duration_minutes::double precision as minutes, b.call_type as kind, b.device, p.role, b.status, coalesce(p.is_test, false) as by_test
from public.bookings b left join public.profiles p on p.user_id = b.client_id
