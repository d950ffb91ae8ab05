-- title: One row per reading and whose it is; revealed counts its open cards.
-- columns: reading text, client uuid, at timestamptz, draft_visible boolean, revealed bigint
select r.id::text as reading, r.client_id as client, r.created_at as at, r.ai_draft_visible_to_client as draft_visible,
  (select count(*) from public.tarot_v2_card_selections s where s.reading_id = r.id and s.revealed_at is not null) as revealed
from public.tarot_v2_readings r
