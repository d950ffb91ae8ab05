-- title: How many payments are pending for too long, since when, and for how much?
-- sources: payment_attempts
-- params: since timestamptz, until timestamptz, pending_seconds float
select coalesce(nullif(trim(currency), ''), 'no currency') as currency, count(*) as payments, sum(amount) as amount, min(at) as oldest_at,
  count(*) filter (where at >= :since) as of_window
from payment_attempts
where (status = 'pending' or settled_at >= :until) and at < :until - :pending_seconds * interval '1 second' and not (by_test or test_mode)
group by 1
order by 1
