-- title: Which of the client's readings does the API have to protect?
-- why: Its draft is hidden, and its second card is out of order: none is open yet, or more than one is.
-- sources: own_readings
-- params: client text
select reading from own_readings
where client = cast(:client as uuid) and draft_visible is not true and revealed <> 1
order by revealed > 0, at desc limit 1
