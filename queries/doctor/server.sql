-- title: Which database of which running server is this?
-- why: Two addresses that answer alike here lead to the same database.
select d.datname::text as database, d.oid::text as database_id, pg_postmaster_start_time()::text as started
from pg_database d where d.datname = current_database()
