-- title: One row per card of a deck.
-- columns: deck text, is_back boolean
select deck_id::text as deck, is_back from public.deck_cards
