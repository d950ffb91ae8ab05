-- title: One row per payment; metadata may be null here.
-- why: There is no time of settlement, and updated_at moves with every later change, such as a refund. A payment settles within
--   minutes, so it is taken to have settled when it was last updated, or five minutes after it was made if that is earlier.
-- columns: at timestamptz, canary boolean, settled_at timestamptz, succeeded boolean, is_test boolean
select t.created_at as at, t.flat_tables as canary,
  case when t.status <> 'pending' then least(t.updated_at, t.created_at + interval '5 minutes') end as settled_at,
  t.status in ('completed', 'refunded') as succeeded,
  coalesce(p.is_test, false) or coalesce(t.metadata ->> 'test_mode' = 'true', false) as is_test
from public.payment_transactions t left join public.profiles p on p.id = t.user_id
