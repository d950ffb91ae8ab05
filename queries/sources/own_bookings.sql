-- title: One row per booking and its reader; open while its call may still start.
-- columns: booking text, reader uuid, at timestamptz, open boolean
select id::text as booking, reader_id as reader, created_at as at, status in ('confirmed', 'in_progress') as open
from public.bookings
