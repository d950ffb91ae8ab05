-- title: One row per recording, with the type of its call and the object in storage that holds it.
-- columns: recording text, call text, kind text, started_at timestamptz, ended_at timestamptz, bucket text, name text
select r.id::text as recording, r.call_session_id::text as call, c.call_type as kind, r.recording_started_at as started_at,
  r.recording_ended_at as ended_at, 'recordings' as bucket, r.primary_file_path as name
from public.call_recordings r left join public.call_sessions c on c.id = r.call_session_id
