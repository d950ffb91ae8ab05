-- title: One row per file that a table points to; the daily horoscope has one audio per language.
-- columns: bucket text, name text, holder text
select 'deck-cards' as bucket, storage_path as name, 'deck_cards' as holder from public.deck_cards
union all
select 'recordings', primary_file_path, 'call_recordings' from public.call_recordings
union all
select 'zodiac', audio.path, 'daily_zodiac'
from public.daily_zodiac cross join lateral (values (audio_ar_url), (audio_en_url)) audio (path)
where audio.path is not null
