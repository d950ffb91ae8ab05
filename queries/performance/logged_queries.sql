-- title: How many database queries were logged?
-- sources: db_queries
-- params: since timestamptz, until timestamptz
select count(*) as logged from db_queries where at >= :since and at < :until
