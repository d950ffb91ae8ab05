-- title: How many API requests were slow, and how many failed?
-- sources: api_requests
-- params: limit_ms float = kpis.api_p95.limit
select at, canary, path, duration_ms as value, case when duration_ms >= 0 then duration_ms >= :limit_ms end as slow, failed
from api_requests
