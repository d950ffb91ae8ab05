-- title: One row per reading; visible when the client can see the AI's draft.
-- columns: reading text, at timestamptz, visible boolean
select id::text as reading, created_at as at, ai_draft_visible_to_client as visible from public.tarot_v2_readings
