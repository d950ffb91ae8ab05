-- title: One row per object in storage, with the size that storage wrote down; at moves when it is overwritten.
-- columns: bucket text, name text, bytes bigint, at timestamptz, etag text
select bucket_id as bucket, name, (metadata ->> 'size')::bigint as bytes, updated_at as at, metadata ->> 'eTag' as etag
from storage.objects
