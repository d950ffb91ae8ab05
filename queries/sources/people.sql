-- title: One row per account: client, reader or admin; is_test for one that is not a customer's.
-- columns: person uuid, role text, is_test boolean
select user_id as person, role, is_test from public.profiles
