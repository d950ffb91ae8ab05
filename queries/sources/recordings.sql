-- title: One row per recording, with the type of its call and the object in storage that holds it.
-- columns: recording text, call text, kind text, started_at timestamptz, ended_at timestamptz, bucket text, name text
select r.id::text as recording, r.call_id::text as call, c.call_type as kind, r.started_at, r.ended_at, 'recordings' as bucket,
  r.storage_path as name
from public.call_recordings r left join public.call_sessions c on c.id = r.call_id
