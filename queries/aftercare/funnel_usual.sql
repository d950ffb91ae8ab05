-- title: How long does it usually take until a booking's payment has settled, and from an appointment until its call?
-- why: P95. A booking younger than that has not failed, it is still open.
-- sources: bookings, payment_attempts, talks
-- params: since timestamptz, until timestamptz
select (
    select percentile_cont(0.95) within group (order by extract(epoch from p.settled_at - b.at))
    from bookings b join payment_attempts p on p.booking = b.booking
    where b.at >= :since and b.at < :until and p.at >= b.at and p.settled_at between p.at and :until
      and not (b.by_test or p.by_test or p.test_mode)
  ) as settle_seconds, (
    select percentile_cont(0.95) within group (order by extract(epoch from t.connected_at - b.scheduled_at))
    from bookings b join talks t on t.booking = b.booking
    where b.at >= :since and b.at < :until and t.connected_at between b.scheduled_at and :until and not b.by_test
  ) as call_seconds
