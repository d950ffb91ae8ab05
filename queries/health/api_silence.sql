-- title: Did API requests arrive throughout, wherever the day before had some?
-- why: No row in ten minutes that were busy the day before means telemetry or traffic stopped: unknown, never green.
-- sources: api_requests
-- params: as_of timestamptz = now, hours int = 24, slot_minutes int = 10
-- needs: in_window > 0 and (requests > 0 or day_before < 10)
-- expect: true
-- fix: Ask whether the app, the log or its shipping stopped in the slots listed; nothing about them can be judged.
select s.at,
  (select count(*) from api_requests r where r.at > :as_of - :hours * interval '1 hour' and r.at <= :as_of) as in_window,
  (select count(*) from api_requests r
    where r.at > s.at and r.at <= s.at + :slot_minutes * interval '1 minute') as requests,
  (select count(*) from api_requests r
    where r.at > s.at - interval '1 day' and r.at <= s.at - interval '1 day' + :slot_minutes * interval '1 minute') as day_before
from generate_series(:as_of - :hours * interval '1 hour', :as_of - :slot_minutes * interval '1 minute',
  :slot_minutes * interval '1 minute') as s (at)
order by s.at
