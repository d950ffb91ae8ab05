-- title: Is the payer no test account?
-- why: As the kit's; profiles are keyed by id here.
-- params: payer text
select not exists (select from public.profiles p where p.id = :payer::uuid and p.is_test) as allowed
from public.payment_transactions
