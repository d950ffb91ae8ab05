-- title: One row per object in storage, with the size and the ETag that storage wrote down; at is when it was made.
-- columns: bucket text, name text, bytes bigint, at timestamptz, etag text
select bucket_id as bucket, name, (metadata ->> 'size')::bigint as bytes, created_at as at, metadata ->> 'eTag' as etag
from storage.objects
