-- title: Which transaction is this?
-- why: By its number another connection can ask later whether it was committed.
select pg_current_xact_id()::text as id
