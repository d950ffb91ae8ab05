-- title: One row per file that a table points to: the bucket and name of the object, and the table that holds it.
-- columns: bucket text, name text, holder text
select 'deck-cards' as bucket, storage_path as name, 'deck_cards' as holder from public.deck_cards
union all
select 'recordings', storage_path, 'call_recordings' from public.call_recordings
union all
select 'zodiac', audio_path, 'daily_zodiac' from public.daily_zodiac where audio_path is not null
