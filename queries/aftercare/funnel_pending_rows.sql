-- title: Which payments are pending for the longest?
-- sources: payment_attempts
-- params: until timestamptz, pending_seconds float, rows int = 20
select payment as payment_id, booking as booking_id, method, coalesce(nullif(trim(currency), ''), 'no currency') as currency, amount,
  at, extract(epoch from :until - at)::double precision as pending_seconds
from payment_attempts
where (status = 'pending' or settled_at >= :until) and at < :until - :pending_seconds * interval '1 second' and not (by_test or test_mode)
order by at, payment
limit :rows
