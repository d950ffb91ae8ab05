-- What people do: bookings, calls with consent and recording, payments, readings, sirens; and the files these leave in storage.
create table demo.booked as
select i, at, demo.uid(i, 50) as id, c.id as client_id, c.is_test, r.id as reader_id,
  case when demo.u(i, 53) < .72 then 'voice' else 'chat' end as call_type,
  -- most want a reader now; the others choose a quarter of an hour in the coming days
  case when demo.u(i, 54) < .85 then at + (5 + 15 * demo.u(i, 55)) * interval '1 minute'
    else date_bin('15 minutes', at + ceil(3 * demo.u(i, 55)) * interval '1 day', '2026-01-01Z') end as scheduled_at,
  (array[15, 20, 20, 30, 30, 45])[1 + floor(demo.u(i, 56) * 6)::int] as minutes,
  demo.u(i, 57) as fate
from (select i, at, floor(demo.u(i, 58) * clients)::bigint as client,
    -- the best known reader is asked four times as often as the least known
    floor((1.6 - sqrt(2.56 - 2.4 * demo.u(i, 59))) / 1.2 * readers)::bigint as reader
  from demo.arrivals(3, 60), (select count(*) as clients from demo.clients) c, (select count(*) as readers from demo.readers) r) a
join demo.clients c on c.n = client
join demo.readers r on r.n = reader
order by i;
analyze demo.booked;

insert into bookings
select id, client_id, reader_id, call_type,
  case when fate < .80 then case when scheduled_at > demo.clock() then 'confirmed'
      when scheduled_at + minutes * interval '1 minute' > demo.clock() then 'in_progress' else 'completed' end
    when fate < .93 then 'cancelled'
    when scheduled_at > demo.clock() then 'pending' else 'no_show' end,
  (array['ios', 'android', 'android', 'web'])[1 + floor(demo.u(i, 64) * 4)::int], scheduled_at, minutes, at
from demo.booked;

insert into call_sessions
select demo.uid(i, 70), id, client_id, reader_id, 'voice',
  case when failed then 'failed' when connected is null then 'connecting' when ended is null then 'active' else 'completed' end,
  demo.u(i, 71) < demo.share(requested), requested, connected, ended
from demo.booked,
  lateral (select demo.u(i, 72) < .004 as failed, scheduled_at + 90 * demo.u(i, 73) * interval '1 second' as requested) a,
  lateral (select case when not failed then demo.or_later(requested + demo.seconds(1.1 * exp(.42 * demo.z(i, 74)))) end as connected) b,
  lateral (select case when failed then demo.or_later(requested + interval '20 seconds')
    else demo.or_later(connected + minutes * (.6 + .4 * demo.u(i, 76)) * interval '1 minute') end as ended) c
where call_type = 'voice' and fate < .80 and requested <= demo.clock();

insert into call_consent_logs
select demo.uid(row_number() over (order by c.requested_at, c.id, who), 80), c.id, who, format('198.51.100.%s', 1 + get_byte(uuid_send(who), 3) % 250),
  c.requested_at, c.requested_at
from call_sessions c, unnest(array[client_id, reader_id]) who;

insert into call_recordings
select demo.uid(n, 81), id, format('%s/%s.webm', (connected_at at time zone 'UTC')::date, id), connected_at, ended_at, ended_at
from (select *, row_number() over (order by requested_at, id) as n from call_sessions where status = 'completed') c
where demo.u(n, 82) < .92;

insert into payment_transactions
select demo.uid(i, 90), client_id, id, case when demo.u(i, 91) < .004 then 50 + floor(demo.u(i, 92) * 49)::int
    else minutes * 100 + 250 * floor(demo.u(i, 92) * 8)::int end, 'USD',
  case when settled is null then 'pending' when is_test then 'succeeded' when fate < .0125 then 'failed'
    when fate < .0325 then 'refunded' else 'succeeded' end,
  (array['card', 'card', 'card', 'wallet', 'whish'])[1 + floor(demo.u(i, 93) * 5)::int], demo.u(i, 94) < demo.share(created),
  case when is_test then '{"environment": "production", "test_mode": "true"}' else '{"environment": "production"}' end::jsonb,
  created, settled
from (select i, id, client_id, is_test, minutes, demo.u(i, 95) as fate, at + demo.seconds(20 + 100 * demo.u(i, 96)) as created
    from demo.booked where demo.u(i, 97) < .833) b,
  -- a checkout somebody walked away from stays pending
  lateral (select case when is_test or demo.u(i, 98) > .015 then demo.or_later(created + demo.seconds(2 + 40 * demo.u(i, 99))) end as settled) s
where created <= demo.clock();

create table demo.readings as
select i, at, demo.uid(i, 100) as id, c.id as client_id, r.id as reader_id, 1 + floor(demo.u(i, 101) * 4)::int as deck,
  3 + floor(demo.u(i, 102) * 6)::int as cards
from (select i, at, floor(demo.u(i, 103) * clients)::bigint as client, floor(demo.u(i, 104) * readers)::bigint as reader
  from demo.arrivals(.7, 105), (select count(*) as clients from demo.clients) c, (select count(*) as readers from demo.readers) r) a
join demo.clients c on c.n = client
join demo.readers r on r.n = reader
order by i;
insert into tarot_v2_readings
select id, client_id, reader_id, demo.uid(deck, 7), false,
  case when at + cards * interval '40 seconds' > demo.clock() then 'in_progress' else 'completed' end, at
from demo.readings;
insert into tarot_v2_card_selections
-- 11 and 78 share no factor: no card comes twice in a reading
select demo.uid(i * 10 + p, 108), id, demo.uid(deck * 100 + 1 + (floor(demo.u(i, 109) * 78)::int + 11 * p) % 78, 8), p,
  demo.or_later(at + p * interval '40 seconds'), at
from demo.readings, generate_series(1, cards) p;

insert into emergency_calls
select demo.uid(i, 110), c.id, case when answered is not null then r.id end, demo.u(i, 111) < demo.share(at), at, answered,
  case when answered is not null then 'answered' when at > demo.clock() - interval '1 minute' then 'open' else 'missed' end
from (select i, at, floor(demo.u(i, 112) * clients)::bigint as client, floor(demo.u(i, 113) * readers)::bigint as reader
  from demo.arrivals(1, 114), (select count(*) as clients from demo.clients) c, (select count(*) as readers from demo.readers) r) a
join demo.clients c on c.n = client
join demo.readers r on r.n = reader,
  lateral (select case when demo.u(i, 117) > .008 then demo.or_later(at + demo.seconds(5.5 * exp(.473 * demo.z(i, 118)))) end as answered) s
order by i;

insert into storage.buckets values
  ('deck-cards', 'deck-cards', true, '2026-01-05Z'), ('recordings', 'recordings', false, '2026-01-05Z'), ('zodiac', 'zodiac', true, '2026-01-05Z');
insert into storage.objects
select md5(bucket || '/' || path)::uuid, bucket, path, jsonb_build_object('size', bytes), at
from (select 'deck-cards' as bucket, storage_path as path, 40000 + get_byte(uuid_send(id), 1) * 300 as bytes, created_at as at from deck_cards
  union all select 'recordings', storage_path, (extract(epoch from ended_at - started_at) * 4000)::int, ended_at from call_recordings
  union all select 'zodiac', audio_path, 900000 + get_byte(uuid_send(id), 1) * 2000, audio_ready_at from daily_zodiac) files;
