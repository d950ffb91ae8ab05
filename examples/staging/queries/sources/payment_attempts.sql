-- title: One row per payment somebody tried; amounts are in dollars and metadata may be null here.
-- columns: at timestamptz, payer uuid, by_test boolean, test_mode boolean, succeeded boolean, amount double precision,
--   currency text, stored jsonb
select t.created_at as at, t.user_id as payer, coalesce(p.is_test, false) as by_test,
  coalesce(t.metadata ->> 'test_mode' = 'true', false) as test_mode, t.status in ('completed', 'refunded') as succeeded,
  t.amount::double precision as amount, t.currency::text as currency, to_jsonb(t) as stored
from public.payment_transactions t left join public.profiles p on p.id = t.user_id
