-- title: How far did the bookings of a window come, and where were they lost?
-- why: Each booking counts once, by the best of its payments, as things stood at the window's end. Apart are those of test
--   accounts, those with none but test payments, and those younger than it usually takes. A refund carries no time. A call
--   can be held only where bookings of that kind ever had one, and not before its hour. Amounts are summed per currency only.
-- sources: bookings, payment_attempts, talks
-- params: since timestamptz, until timestamptz, settle_seconds float, call_seconds float
select part, value, currency, count(*) as bookings, count(*) filter (where started) as started,
  count(*) filter (where settled) as settled, count(*) filter (where paid) as paid, count(*) filter (where completed) as completed,
  count(*) filter (where due) as due, count(*) filter (where held) as held,
  count(distinct client) as clients, count(distinct client) filter (where started) as started_clients,
  count(distinct client) filter (where settled) as settled_clients, count(distinct client) filter (where completed) as completed_clients,
  count(distinct client) filter (where due) as due_clients, count(distinct client) filter (where held) as held_clients,
  case when grouping(currency) = 0 then sum(amount) end as started_amount,
  case when grouping(currency) = 0 then sum(amount) filter (where settled) end as settled_amount,
  case when grouping(currency) = 0 then sum(amount) filter (where completed) end as completed_amount,
  case when grouping(currency) = 0 then sum(amount) filter (where not completed) end as lost_amount,
  percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from started_at - at))
    filter (where part = 'all' and started_at >= at) as start_seconds,
  percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from settled_at - started_at))
    filter (where part = 'all' and settled and settled_at >= started_at) as settle_seconds,
  percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from connected_at - settled_at))
    filter (where part = 'all' and held and connected_at >= settled_at) as wait_seconds,
  percentile_cont(array[0.5, 0.95]) within group (order by extract(epoch from connected_at - scheduled_at))
    filter (where part = 'all' and held and connected_at >= scheduled_at) as late_seconds
from (
  with attempts as (
    select booking, payment, at, method, amount, coalesce(nullif(trim(currency), ''), 'no currency') as currency,
      by_test or test_mode as is_test, settled_at, case when settled_at >= :until then 'pending' else status end as status
    from payment_attempts
    where booking is not null and at >= :since - interval '1 hour' and at < :until
  ), best as (
    select distinct on (booking) booking, method, amount, currency, settled_at, status,
      min(at) over each as started_at, count(*) over each as attempts,
      count(*) filter (where status = 'succeeded') over each as successes
    from attempts
    where not is_test
    window each as (partition by booking)
    order by booking, array_position(array['succeeded', 'refunded', 'failed', 'pending'], status), settled_at, at, payment
  ), held as (
    select booking, min(connected_at) as connected_at from talks
    where at >= :since - interval '1 hour' and connected_at < :until group by booking
  ), called as materialized (
    select distinct b.kind from bookings b join talks t on t.booking = b.booking where b.at < :until
  ), journeys as (
    select b.*, p.method, p.amount, p.currency, p.started_at, p.settled_at, p.attempts, p.successes, h.connected_at,
      p.booking is not null as started, coalesce(p.status in ('succeeded', 'refunded', 'failed'), false) as settled,
      coalesce(p.status in ('succeeded', 'refunded'), false) as paid, coalesce(p.status = 'succeeded', false) as completed,
      coalesce(b.kind in (select kind from called), false) as callable,
      greatest(b.scheduled_at, b.at) + :call_seconds * interval '1 second' <= :until as hour_passed,
      case when b.by_test then 'of test accounts'
        when p.booking is null and exists (select from attempts a where a.booking = b.booking) then 'with test payments only'
        when b.at > :until - :settle_seconds * interval '1 second' then 'still open' end as apart
    from bookings b left join best p on p.booking = b.booking left join held h on h.booking = b.booking
    where b.at >= :since and b.at < :until
  )
  select *, completed and callable and hour_passed as due, completed and callable and hour_passed and connected_at is not null as held
  from journeys
) steps cross join lateral (
  select part, value
  from (values ('all', 'all', true), ('hour', date_bin('1 hour', at, :since)::text, true),
    ('method', case when started then coalesce(method, 'not known') else 'no payment started' end, true),
    ('device', coalesce(device, 'not known'), true), ('role', coalesce(role, 'not known'), true),
    ('lost', '1: no payment started', not started), ('lost', '2: payment started, not settled', started and not settled),
    ('lost', '3: payment failed', settled and not paid), ('lost', '4: payment refunded', paid and not completed),
    ('lost', '5: paid, no call held, booking ' || coalesce(replace(status, '_', ' '), 'of no status'), due and not held),
    ('twice', 'paid more than once', successes > 1), ('said', 'with several payments, counted once', attempts > 1),
    ('said', 'with a call held and no completed payment', connected_at is not null and not completed),
    ('said', 'of kind ' || coalesce(kind, 'not known') || ', which never had a call: none is expected', not callable),
    ('said', 'without a client', client is null)) each (part, value, holds)
  where apart is null and holds
  union all select 'apart', apart where apart is not null
) parts
group by grouping sets ((part, value), (part, value, currency))
having grouping(currency) = 1 or currency is not null
order by part, value, currency nulls first
