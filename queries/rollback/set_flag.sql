-- title: Set one feature flag to a value given as JSON text.
-- why: The first thing a rollback does. Exactly one row may come back, in the form in which sources/flags reads it.
-- params: key text, value text
update public.feature_flags set value = :value::jsonb, updated_at = now()
where key = :key
returning key, value::text as value
