-- title: Is every AI draft hidden from the client?
-- sources: ai_drafts
-- expect: visible is not true
-- fix: Set ai_draft_visible_to_client to false on the readings listed, then find what set it.
select reading, at, visible from ai_drafts order by at desc
