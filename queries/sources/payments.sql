-- title: One row per payment, test payments marked; a refunded one had succeeded, a pending one is not settled.
-- columns: at timestamptz, canary boolean, settled_at timestamptz, succeeded boolean, is_test boolean
select t.created_at as at, t.flat_tables as canary,
  case when t.status <> 'pending' then t.settled_at end as settled_at, t.status in ('succeeded', 'refunded') as succeeded,
  coalesce(p.is_test, false) or coalesce(t.metadata ->> 'test_mode' = 'true', false) as is_test
from public.payment_transactions t left join public.profiles p on p.user_id = t.user_id
