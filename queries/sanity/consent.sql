-- title: Does every consent to a call carry the client's IP address?
-- why: An empty text, a word such as 'unknown' and the address of nobody (0.0.0.0, ::) prove nothing.
-- sources: consents
-- expect: client_ip is not null and client_ip ~ '^[0-9a-fA-F.:]+(/[0-9]+)?$' and client_ip !~ '^(0[.]0[.]0[.]0|::)(/|$)'
-- fix: Find the callers that send no address (see API contracts); a consent without one proves nothing.
select consent, at, client_ip from consents order by at desc
