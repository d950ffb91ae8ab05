-- title: One row per payment somebody tried; amounts are in dollars and metadata may be null here.
-- why: There is no time of settlement: it is taken to be that of the last update, or five minutes after the payment was
--   made if that is earlier, as in payments.sql.
-- columns: at timestamptz, payer uuid, by_test boolean, test_mode boolean, succeeded boolean, amount double precision,
--   currency text, stored jsonb, payment text, booking text, method text, status text, settled_at timestamptz
select t.created_at as at, t.user_id as payer, coalesce(p.is_test, false) as by_test,
  coalesce(t.metadata ->> 'test_mode' = 'true', false) as test_mode, t.status in ('completed', 'refunded') as succeeded,
  t.amount::double precision as amount, t.currency::text as currency, to_jsonb(t) as stored, t.id::text as payment,
  t.booking_id::text as booking, t.payment_method as method,
  case when t.status in ('pending', 'failed', 'refunded') then t.status when t.status = 'completed' then 'succeeded' end as status,
  case when t.status <> 'pending' then least(t.updated_at, t.created_at + interval '5 minutes') end as settled_at
from public.payment_transactions t left join public.profiles p on p.id = t.user_id
