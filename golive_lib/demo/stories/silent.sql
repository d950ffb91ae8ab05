-- Telemetry stops in the 50 % stage and does not come back; people go on booking, calling and paying.
delete from api_logs where created_at >= '2026-03-24 17:00Z';
delete from db_query_logs where created_at >= '2026-03-24 17:00Z';
delete from security_audit_logs where created_at >= '2026-03-24 17:00Z';
