-- title: One row per card laid out in a reading; positions count from 1.
-- columns: reading text, position bigint
select reading_id::text as reading, position::bigint as position from public.tarot_v2_card_selections
