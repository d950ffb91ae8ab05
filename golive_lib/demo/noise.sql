-- The simulation's own tools, in a schema that is dropped at the end of the build: settings, seeded noise, the clock of arrivals.
-- The one row of demo.settings is there already: rate (rows per row at scale 1), people (likewise), seed.

-- Noise: the same (i, salt) gives the same number in [0, 1) on every machine; the seed is baked in, so that the call is inlined.
do $do$ begin
  execute format($f$
    create function demo.u(i bigint, salt int) returns float8 language sql immutable parallel safe
    return (hashint8extended(i, %1$s + salt) & 9007199254740991) / 9007199254740992::float8 $f$,
    (select seed * 1000 from demo.settings));
  execute format($f$
    create function demo.uid(i bigint, salt int) returns uuid language sql immutable parallel safe
    return (lpad(to_hex(hashint8extended(i, %1$s + salt)), 16, '0') || lpad(to_hex(hashint8extended(i, %1$s + 500 + salt)), 16, '0'))::uuid $f$,
    (select seed * 1000 from demo.settings));
end $do$;

-- A standard normal deviate (Box-Muller); uses salt and salt + 1.
create function demo.z(i bigint, salt int) returns float8 language sql immutable parallel safe
return sqrt(-2 * ln(1 - demo.u(i, salt))) * cos(2 * pi() * demo.u(i, salt + 1));

create function demo.seconds(s float8) returns interval language sql immutable parallel safe
return make_interval(secs => s);

create function demo.clock() returns timestamptz language sql immutable parallel safe
return timestamptz '2026-03-25 22:00Z';

create function demo.or_later(at timestamptz) returns timestamptz language sql immutable parallel safe
begin atomic select case when at <= demo.clock() then at end; end;
comment on function demo.or_later is 'what has not happened yet at the clock is null';

-- The share of traffic on the flat tables.
create function demo.share(at timestamptz) returns float8 language sql immutable parallel safe
return case
  when at < timestamptz '2026-03-24 08:00Z' then 0
  when at < timestamptz '2026-03-24 10:00Z' then .10
  when at < timestamptz '2026-03-24 14:00Z' then .25
  when at < timestamptz '2026-03-24 22:00Z' then .50
  else 1 end;

-- Every minute of the data and its load: 0.2 at night in Beirut, 1.7 by day, 1 on average.
create table demo.minutes as
select m, at, .2 + 1.5 / (1 + exp(-1.6 * (h - 5.4))) / (1 + exp(1.6 * (h - 18.2))) as load
from generate_series(0, 12839) m,
  lateral (select timestamptz '2026-03-17 00:00Z' + m * interval '1 minute' as at) t,
  -- hours since 04:00, the quietest hour
  lateral (select extract(epoch from (at at time zone 'Asia/Beirut' - interval '4 hours')::time)::float8 / 3600 as h) l;

-- Events at a rate per minute, numbered in the order of time; uses salt to salt + 2.
create function demo.arrivals(rate float8, salt int) returns table (i bigint, at timestamptz) language sql stable
begin atomic
  with minutes as (
    select at, n, sum(n) over (order by m) - n as before
    from demo.settings s, demo.minutes,
      lateral (select floor(arrivals.rate * s.rate * load * (.75 + .5 * demo.u(m, salt)) + demo.u(m, salt + 1))::bigint as n) c)
  select (before + k)::bigint, at + demo.seconds(60 * (k - 1 + demo.u((before + k)::bigint, salt + 2)) / n)
  from minutes, generate_series(1, n) k;
end;
