-- Clients, readers, admins, decks, opening hours, the daily horoscope and the flags.
create table demo.clients as
select n, demo.uid(n, 1) as id, n < 5 as is_test
from demo.settings, generate_series(0, greatest(100, round(8000 * people))::bigint - 1) n;
create table demo.readers as
select n, demo.uid(n, 2) as id
from demo.settings, generate_series(0, greatest(12, round(500 * people))::bigint - 1) n;

insert into profiles
select id, role, first[1 + floor(demo.u(n, 3) * 16)::int] || ' ' || chr(65 + floor(demo.u(n, 4) * 26)::int) || '.', is_test,
  timestamptz '2026-01-05Z' + demo.u(n, 5) * interval '70 days'
from (select n, id, 'client' as role, is_test from demo.clients
  union all select n + 1000000, id, 'reader', false from demo.readers
  union all select n + 2000000, demo.uid(n, 6), 'admin', false from generate_series(0, 2) n) people,
  (select array['Maya', 'Karim', 'Nour', 'Rami', 'Layla', 'Ziad', 'Hala', 'Omar', 'Yara', 'Fadi', 'Rana', 'Jad', 'Lina', 'Sami', 'Dima',
    'Tarek'] as first) names;
insert into auth.users select user_id, user_id || '@example.com', created_at from profiles;

insert into decks select demo.uid(d, 7), name
from unnest(array['Classic', 'Marseille', 'Cosmic', 'Cedars']) with ordinality as names (name, d);
insert into deck_cards
select demo.uid(d * 100 + c, 8), demo.uid(d, 7), c, c = 0,
  format('%s/%s.webp', d, case c when 0 then 'back' else lpad(c::text, 2, '0') end), '2026-02-01Z'
from generate_series(1, 4) d, generate_series(0, 78) c;

insert into reader_availability
select demo.uid(n * 7 + weekday, 9), id, weekday, make_time(start, 0, 0), make_time(start + 7 + floor(demo.u(n, 11) * 3)::int, 0, 0)
from demo.readers, generate_series(0, 6) weekday, lateral (select 8 + floor(demo.u(n, 10) * 6)::int as start) s
where weekday <> floor(demo.u(n, 12) * 7)::int;
insert into availability_overrides
select demo.uid(n * 10 + d, 13), id, date '2026-03-17' + d, hours[1], hours[2], hours is not null
from demo.readers, generate_series(0, 8) d,
  lateral (select case when demo.u(n * 10 + d, 14) < .5 then array[time '18:00', time '22:00'] end as hours) h
where demo.u(n * 10 + d, 15) < .03;

-- 12 a day, ready between 04:10 and 06:40 in Beirut
insert into daily_zodiac
select demo.uid(d * 12 + s, 16), sign, day, format('%s/%s.mp3', day, sign),
  (day + time '04:10') at time zone 'Asia/Beirut' + demo.u(d * 12 + s, 17) * interval '150 minutes'
from generate_series(0, 8) d, lateral (select date '2026-03-17' + d as day) days,
  unnest(array['aries', 'taurus', 'gemini', 'cancer', 'leo', 'virgo', 'libra', 'scorpio', 'sagittarius', 'capricorn', 'aquarius', 'pisces'])
    with ordinality as signs (sign, s);
