-- title: One row per account: client, reader, admin or monitor; is_test may be null here.
-- columns: person uuid, role text, is_test boolean
select id as person, role, coalesce(is_test, false) as is_test from public.profiles
