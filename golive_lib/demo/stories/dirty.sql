-- One fault for every sanity check, and nothing else.

-- Deck parity: Marseille's last card lies in Cosmic; 77 and 79 add up to the right total.
update deck_cards set deck_id = (select id from decks where name = 'Cosmic'), card_number = 79
where card_number = 78 and deck_id = (select id from decks where name = 'Marseille');

-- Reveal order: the 10th reading has one card, at position 2; the 20th has 1, 2 and then 4.
with reading as (select id from tarot_v2_readings order by created_at, id offset 9 limit 1)
delete from tarot_v2_card_selections using reading where reading_id = reading.id and card_position <> 2;
with reading as (select id from tarot_v2_readings order by created_at, id offset 19 limit 1)
update tarot_v2_card_selections set card_position = card_position + 1 from reading where reading_id = reading.id and card_position >= 3;

-- Consent: one row without an IP, one with an empty one.
with row as (select id from call_consent_logs order by created_at, id offset 4 limit 1)
update call_consent_logs c set client_ip = null from row where c.id = row.id;
with row as (select id from call_consent_logs order by created_at, id offset 40 limit 1)
update call_consent_logs c set client_ip = '' from row where c.id = row.id;

-- AI drafts: two are visible to their clients.
update tarot_v2_readings set ai_draft_visible_to_client = true
where id in (select id from tarot_v2_readings order by created_at, id offset 29 limit 2);
