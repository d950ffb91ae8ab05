-- title: How many cards are there over all decks together?
-- why: The runbook's own figure, for comparison; it decides nothing, because wrong decks can cancel out in it.
-- sources: cards
select count(distinct deck) as decks, count(*) filter (where not is_back) as face_cards,
  78 * count(distinct deck) as expected_face_cards, count(*) filter (where is_back) as back_cards
from cards
