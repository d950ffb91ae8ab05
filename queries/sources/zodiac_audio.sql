-- title: One row per sign and day; an audio that is not there has no time.
-- columns: day date, sign text, ready_at timestamptz
select day, sign, case when audio_path is not null then audio_ready_at end as ready_at from public.daily_zodiac
