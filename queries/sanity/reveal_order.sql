-- title: Are the cards of every reading numbered 1, 2, 3 … without a gap or a duplicate?
-- why: Every reading counts, those with a single card too.
-- sources: revealed_cards
-- expect: reading is not null and first_position = 1 and last_position = cards and distinct_positions = cards
-- fix: Repair the positions of the readings listed; find what wrote them out of order before the canary starts.
select reading, count(*) as cards, min(position) as first_position, max(position) as last_position,
  count(distinct position) as distinct_positions
from revealed_cards
group by reading
order by reading
