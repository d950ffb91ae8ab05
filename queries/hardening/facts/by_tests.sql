-- title: How many payments of test accounts went through as real ones?
-- sources: payment_attempts
-- params: since timestamptz, until timestamptz
select currency, count(*) as payments, count(*) filter (where by_test) as by_tests,
  count(*) filter (where by_test and succeeded and not test_mode) as for_real,
  sum(amount) filter (where by_test and succeeded and not test_mode) as amount
from payment_attempts
where at > :since and at <= :until
group by currency order by currency
