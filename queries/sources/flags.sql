-- title: One row per feature flag, its value as JSON text (true, 12, "x").
-- columns: key text, value text, updated_at timestamptz
select key, value::text as value, updated_at from public.feature_flags
