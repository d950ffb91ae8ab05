-- title: Is the payment a test's, below one dollar, or staging's?
-- why: As the kit's; amounts are in dollars here. Metadata that is null lets in what is below a dollar, and nothing else.
select metadata ->> 'test_mode' = 'true' or amount < 1 or metadata ->> 'environment' = 'staging' as allowed
from public.payment_transactions
