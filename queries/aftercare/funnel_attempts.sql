-- title: Which payments were tried in a window, what became of them, and what is odd about them?
-- why: A payment may be in several rows. Amounts are in their currency's major unit and summed per currency only. Those of a
--   test are apart, and in no other row.
-- sources: payment_attempts
-- params: since timestamptz, until timestamptz
select found.kind, found.what, coalesce(nullif(trim(p.currency), ''), 'no currency') as currency, count(*) as payments, sum(p.amount) as amount
from payment_attempts p cross join lateral (
  select kind, what
  from (values ('all', 'tried', true), ('said', 'refunded', p.status = 'refunded'), ('said', 'without a booking', p.booking is null),
    ('odd', 'settled before they were made', p.settled_at < p.at),
    ('odd', 'settled without a time', p.status <> 'pending' and p.settled_at is null), ('odd', 'of no known status', p.status is null),
    ('odd', 'without an amount', p.amount is null), ('odd', 'of 0 or less', p.amount <= 0)) each (kind, what, holds)
  where holds and not (p.by_test or p.test_mode)
  union all
  select 'apart', case when p.by_test then 'of test accounts' else 'in test mode' end where p.by_test or p.test_mode
) found
where p.at >= :since and p.at < :until
group by 1, 2, 3
order by 1, 2, 3
