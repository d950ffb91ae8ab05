-- title: Does every consent to a call carry the client's IP address?
-- sources: consents
-- expect: client_ip is not null and btrim(client_ip) <> ''
-- fix: Find the callers that send no address (see API contracts); a consent without one proves nothing.
select consent, at, client_ip from consents order by at desc
