-- title: Set one feature flag to a value given as JSON text; here a row of a settings table, which keeps it as text.
-- why: The first thing a rollback does. Exactly one row may come back, in the form in which sources/flags reads it.
-- params: key text, value text
update public.system_configurations set config_value_plain = :value::jsonb #>> '{}', updated_at = now()
where config_category = 'feature_flags' and config_key = :key
returning config_key as key, config_value_plain as value
