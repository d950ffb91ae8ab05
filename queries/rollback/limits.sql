-- title: How long does this transaction wait for a lock, in milliseconds?
select setting::float8 as lock_ms from pg_settings where name = 'lock_timeout'
