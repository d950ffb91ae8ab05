-- title: Which of these accounts are plain clients?
-- why: A reader or an admin may well see other people's rows; a plain client may not.
-- sources: people
-- params: persons text, most int = 20
select person::text as person from people
where role = 'client' and not is_test and (:persons is null or person = any(string_to_array(:persons, ',')::uuid[]))
limit :most
