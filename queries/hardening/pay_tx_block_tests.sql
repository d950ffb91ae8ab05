-- title: Is the payer no test account?
-- why: A test account may not pay for real. Of profiles the policy sees what the payer sees, so everybody must see their own.
-- params: payer text
select not exists (select from public.profiles p where p.user_id = :payer::uuid and p.is_test) as allowed
from public.payment_transactions
