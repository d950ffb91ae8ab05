-- title: What does each bucket hold?
-- why: The digest is a sum of hashes, so it does not depend on the order of the rows. It changes with any object added, removed,
--   renamed or overwritten (but for a chance of 2^-128); it is no proof against somebody who searches for a collision.
-- sources: stored_objects
select bucket, count(*) as objects, coalesce(sum(bytes), 0)::bigint as bytes, count(*) - count(bytes) as without_size,
  max(at) as newest,
  left(encode(sha256(convert_to(concat_ws(' ', count(*), sum(hashtextextended(object, 0)), sum(hashtextextended(object, 1))),
    'UTF8')), 'hex'), 32) as digest
from (select bucket, bytes, at, row(name, bytes, extract(epoch from at), etag)::text as object from stored_objects) described
group by bucket
order by bucket
