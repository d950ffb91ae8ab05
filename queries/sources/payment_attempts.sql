-- title: One row per payment somebody tried, whatever became of it; stored is the row as it lies in its table.
-- columns: at timestamptz, payer uuid, by_test boolean, test_mode boolean, succeeded boolean, amount double precision,
--   currency text, stored jsonb
select t.created_at as at, t.user_id as payer, coalesce(p.is_test, false) as by_test,
  coalesce(t.metadata ->> 'test_mode' = 'true', false) as test_mode, t.status in ('succeeded', 'refunded') as succeeded,
  t.amount / 100.0::double precision as amount, t.currency, to_jsonb(t) as stored
from public.payment_transactions t left join public.profiles p on p.user_id = t.user_id
