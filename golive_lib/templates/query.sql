-- title: What is asked here, so that every row of the answer should keep the rule?
-- why: What goes wrong for the launch when one does not.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24
-- expect: requests > 0
-- fix: What to do about a row that breaks the rule.
select count(*) as requests
from api_requests
where at >= :as_of - make_interval(hours => :hours::integer) and at < :as_of
