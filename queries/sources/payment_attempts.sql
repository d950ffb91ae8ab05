-- title: One row per payment somebody tried, whatever became of it; stored is the row as it lies in its table.
-- why: Amounts are in the currency's major unit: cents are divided by 100 here. A status is pending, succeeded, failed,
--   refunded, or null where it is none of these.
-- columns: at timestamptz, payer uuid, by_test boolean, test_mode boolean, succeeded boolean, amount double precision,
--   currency text, stored jsonb, payment text, booking text, method text, status text, settled_at timestamptz
select t.created_at as at, t.user_id as payer, coalesce(p.is_test, false) as by_test,
  coalesce(t.metadata ->> 'test_mode' = 'true', false) as test_mode, t.status in ('succeeded', 'refunded') as succeeded,
  t.amount / 100.0::double precision as amount, t.currency, to_jsonb(t) as stored, t.id::text as payment, t.booking_id::text as booking,
  t.method, case when t.status in ('pending', 'succeeded', 'failed', 'refunded') then t.status end as status,
  case when t.status <> 'pending' then t.settled_at end as settled_at
from public.payment_transactions t left join public.profiles p on p.user_id = t.user_id
