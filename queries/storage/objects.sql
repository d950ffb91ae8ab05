-- title: Which objects are in storage?
-- sources: stored_objects
select bucket, name, bytes, at, etag from stored_objects
