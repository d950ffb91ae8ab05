-- title: Is any account a test's, and which stand for them and for the customers?
-- sources: people
select exists (select from people where is_test) as tests, (select person::text from people where is_test limit 1) as test,
  (select person::text from people where not is_test and role = 'client' limit 1) as customer
