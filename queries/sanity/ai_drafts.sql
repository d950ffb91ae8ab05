-- title: Is every AI draft hidden from the client?
-- why: A draft of unset visibility depends on what the API makes of it, so it is unknown.
-- sources: ai_drafts
-- expect: not visible
-- fix: Set ai_draft_visible_to_client to false on the readings listed, then find what set it.
select reading, at, visible from ai_drafts order by at desc
