-- title: What does the newest payment of a window look like, a test account's or a customer's real one?
-- sources: payment_attempts
-- params: since timestamptz, until timestamptz, by_test bool
select payer::text as payer, stored::text as stored
from payment_attempts
where at > :since and at <= :until and by_test = :by_test and (by_test or not test_mode)
order by at desc limit 1
