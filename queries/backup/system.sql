-- title: Which cluster is this, under whatever address?
-- why: A restore must never be rehearsed on the server that it is a backup of.
select system_identifier::text || '/' || current_database() as system from pg_control_system()
