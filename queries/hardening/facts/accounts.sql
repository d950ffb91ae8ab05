-- title: How many accounts are a test's, and which stand for them and for the customers?
-- sources: people
select count(*) filter (where is_test) as tests, min(person::text) filter (where is_test) as test,
  min(person::text) filter (where not is_test and role = 'client') as customer
from people
