-- title: How many API requests were logged?
-- sources: api_requests
-- params: since timestamptz, until timestamptz
select count(*) as logged from api_requests where at >= :since and at < :until
