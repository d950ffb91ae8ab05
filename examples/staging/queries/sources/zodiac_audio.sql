-- title: One row per sign and day; ready when the audio of both languages is there.
-- columns: day date, sign text, ready_at timestamptz
select date as day, zodiac_sign as sign, case when audio_ar_url is not null and audio_en_url is not null then updated_at end as ready_at
from public.daily_zodiac
