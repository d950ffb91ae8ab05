-- title: Is the payment a test's, below one dollar, or staging's?
-- why: In production it stops every real payment of $1 or more; and metadata is the client's, who may write what lets it in.
select metadata ->> 'test_mode' = 'true' or amount < 100 or metadata ->> 'environment' = 'staging' as allowed
from public.payment_transactions
