-- title: One row per feature flag; here rows of a settings table, with a text and the type it should have.
-- why: A text that is not of its type stays a text, so that the kit says so instead of guessing what the app makes of it.
-- columns: key text, value text, updated_at timestamptz
select config_key as key,
  case when data_type = 'boolean' and config_value_plain in ('true', 'false') then config_value_plain
    when data_type = 'number' and config_value_plain ~ '^-?(0|[1-9]\d*)(\.\d+)?$' then config_value_plain
    else to_jsonb(config_value_plain)::text end as value,
  updated_at
from public.system_configurations where config_category = 'feature_flags'
