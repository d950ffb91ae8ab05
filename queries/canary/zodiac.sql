-- title: When did each sign's audio of a day, and of the week before it, become ready?
-- why: A day without any row is missed when other days have theirs; without those, nobody can say.
-- sources: zodiac_audio
-- params: day text
select sign, ready_at, cast(day as text) as day from zodiac_audio
where day > cast(:day as date) - 8 and day <= cast(:day as date)
