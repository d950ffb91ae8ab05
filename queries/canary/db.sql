-- title: How many database queries were slow?
-- sources: db_queries
-- params: limit_ms float = kpis.db_p95.limit
select at, canary, name, duration_ms as value, case when duration_ms >= 0 then duration_ms >= :limit_ms end as slow from db_queries
