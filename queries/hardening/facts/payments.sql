-- title: Which payments were tried in a window, and which of them are no real ones?
-- sources: payment_attempts
-- params: since timestamptz, until timestamptz
select payer, by_test or test_mode as is_test, amount, currency, stored
from payment_attempts
where at > :since and at <= :until
