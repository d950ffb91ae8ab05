-- What the backend writes about itself: requests, queries, security events. Rows lie in the order of time, as logs do.
create table demo.endpoints as
select (slot - 1)::int as slot, split_part(call, ' ', 1) as method, split_part(call, ' ', 2) as path, size::float8
from unnest(
  array['GET /readings', 'GET /readings', 'GET /decks', 'GET /decks', 'GET /profiles/me', 'GET /profiles/me', 'GET /zodiac/today',
    'GET /zodiac/today', 'GET /bookings', 'GET /bookings', 'POST /bookings', 'POST /readings/reveals', 'POST /readings/reveals',
    'POST /calls/start', 'POST /payments', 'GET /payments'],
  array[1.1, 1.1, .8, .8, .7, .7, .6, .6, 1, 1, 1.3, 1.1, 1.1, 1.5, 1.6, 1]) with ordinality as calls (call, size, slot);

insert into api_logs
select i, at, method, path,
  case when e < .0025 then (array[500, 502, 503, 504])[1 + floor(e / .0025 * 4)::int]
    when e < .035 then (array[400, 401, 403, 404])[1 + floor((e - .0025) / .0325 * 4)::int]
    when method = 'POST' then 201 else 200 end,
  greatest(6, round(185 * size * exp(1.03 * demo.z(i, 23))))::int, demo.u(i, 25) < demo.share(at), c.id
from (select i, at, demo.u(i, 26) as e, floor(demo.u(i, 27) * 16)::int as slot, floor(demo.u(i, 28) * people)::bigint as n
  from demo.arrivals(50, 20), (select count(*) as people from demo.clients) p) a
join demo.endpoints using (slot)
join demo.clients c using (n)
order by i;

insert into db_query_logs
select i, at, (array['deck_by_id', 'reader_slots', 'reading_cards', 'wallet', 'booking_list', 'card_reveal', 'profile'])
    [1 + floor(demo.u(i, 33) * 7)::int],
  round((18 * exp(1.45 * demo.z(i, 34)))::numeric, 2)::float8, demo.u(i, 36) < demo.share(at)
from demo.arrivals(50, 30);

insert into security_audit_logs
select i, at, event, c.id, path, format('203.0.113.%s', 1 + floor(demo.u(i, 43) * 250)::int)
from (select i, at, demo.u(i, 44) as e, floor(demo.u(i, 45) * people)::bigint as n
  from demo.arrivals(.5, 40), (select count(*) as people from demo.clients) p) a
join demo.clients c using (n),
  lateral (select * from (values (.60, 'login', '/auth/login'), (.88, 'token_refresh', '/auth/token'), (.95, 'login_failed', '/auth/login'),
    (.98, 'password_reset', '/auth/recover'), (1, 'rate_limited', '/auth/login')) v (below, event, path)
    where e < below order by below limit 1) kind
order by i;

-- the app goes on numbering where the simulation ends
select setval(pg_get_serial_sequence(t, 'id'), 10000000000) from unnest(array['api_logs', 'db_query_logs', 'security_audit_logs']) t;
