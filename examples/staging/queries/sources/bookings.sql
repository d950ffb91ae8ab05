-- title: One row per booking; neither a length nor a device is written down here.
-- columns: booking text, client uuid, reader uuid, at timestamptz, scheduled_at timestamptz, minutes double precision,
--   kind text, device text, role text, status text, by_test boolean
select b.id::text as booking, b.user_id as client, b.reader_id as reader, b.created_at as at, b.scheduled_at,
  null::double precision as minutes, case when b.is_emergency then 'emergency' else 'scheduled' end as kind, null::text as device,
  p.role, b.status, coalesce(p.is_test, false) as by_test
from public.bookings b left join public.profiles p on p.id = b.user_id
