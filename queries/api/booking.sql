-- title: Which of the reader's bookings may a call start for?
-- why: One whose call may still start, if there is any: the API must miss the consent's IP there and nothing else.
-- sources: own_bookings
-- params: reader text
select booking from own_bookings where reader = cast(:reader as uuid) order by open desc, at desc limit 1
