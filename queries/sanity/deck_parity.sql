-- title: Has every deck its 78 face cards and at least one back?
-- why: Judged deck by deck: over all decks together, one card too many in one hides one too few in another.
-- sources: cards
-- expect: deck is not null and face_cards = 78 and back_cards >= 1 and unmarked_cards = 0
-- fix: Upload the missing cards of the decks listed, or mark the right card as the back.
select deck, count(*) filter (where not is_back) as face_cards, count(*) filter (where is_back) as back_cards,
  count(*) filter (where is_back is null) as unmarked_cards
from cards
group by deck
order by deck
