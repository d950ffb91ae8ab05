-- In the 25 % stage one canary request in eight gets slow, one in 26 of all traffic; at its end the launch is rolled back.
update api_logs set response_time_ms = 2050 + (2600 * power(demo.u(id, 201), 2))::int
where flat_tables and created_at >= '2026-03-24 10:10Z' and created_at < '2026-03-24 14:00Z' and demo.u(id, 200) < .11;

update api_logs set flat_tables = false where flat_tables and created_at >= '2026-03-24 14:00Z';
update db_query_logs set flat_tables = false where flat_tables and created_at >= '2026-03-24 14:00Z';
update call_sessions set flat_tables = false where flat_tables and requested_at >= '2026-03-24 14:00Z';
update emergency_calls set flat_tables = false where flat_tables and requested_at >= '2026-03-24 14:00Z';
update payment_transactions set flat_tables = false where flat_tables and created_at >= '2026-03-24 14:00Z';
