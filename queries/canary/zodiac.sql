-- title: When did each sign's audio of a day become ready?
-- sources: zodiac_audio
-- params: day text
select sign, ready_at from zodiac_audio where day = cast(:day as date)
