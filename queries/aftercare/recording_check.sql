-- title: Which recordings lack consent, proof or a file, and which are drawn for a person to listen to?
-- why: A party consented when a consent with an IP address and a time was given before the recording began, and neither refused
--   nor withdrawn in between; one of the same instant proves no order. Counted are all recordings whose call began in the window
--   (one that nobody can date counts in every window); one that still runs needs neither end nor file yet. Drawn are one of each
--   call type, and of the others so many as is in proportion, by largest remainder, in the order of md5(seed || recording).
--   The rows are those drawn, the first that fail, and one of each type; each bears the counts of its type.
-- sources: recordings, talks, consents, people, stored_objects
-- params: since timestamptz, until timestamptz, sample int = aftercare.recordings, seed int = aftercare.seed, rows int = 1000
select * from (
with tests as (
  select person from people where is_test
), windowed as (
  select r.recording, r.call, coalesce(r.kind, 'no type') as kind, r.started_at, r.ended_at, r.bucket, r.name, t.client, t.reader,
    t.call is not null as known, t.call is not null and t.ended_at is null and r.started_at is not null and r.ended_at is null as runs,
    (t.client in (select person from tests) or t.reader in (select person from tests)) is true as by_test
  from recordings r left join talks t on t.call = r.call
  where coalesce(t.connected_at, t.at, r.started_at, :since) >= :since and coalesce(t.connected_at, t.at, r.started_at, :since) < :until
), found as materialized (
  select c.call, c.person, c.given, c.given_at,
    (c.client_ip ~ '^[0-9a-fA-F.:]+(/[0-9]+)?$' and c.client_ip !~ '^(0[.]0[.]0[.]0|::)(/|$)') is true as has_ip
  from consents c
  where c.call in (select call from windowed)
), answers as (
  select w.recording, w.started_at, p.party, f.given, f.given_at, f.has_ip
  from windowed w cross join lateral (values ('client', w.client), ('reader', w.reader)) p (party, person)
    left join found f on f.call = w.call and f.person = p.person
  where w.known
), consented as (
  select recording, party, bool_or(given) is true as gave,
    max(given_at) filter (where given and has_ip and given_at < started_at) as proven_at,
    max(coalesce(given_at, started_at)) filter (where not given and (given_at is null or given_at < started_at)) as refused_at,
    bool_or(given and given_at >= started_at) is true as late, bool_or(given and given_at is null) is true as undated,
    bool_or(given and not has_ip) is true as without_ip
  from answers
  group by recording, party
), unproven as (
  select recording, bool_or(not gave or late or refused_at is not null) as no_consent, bool_or(undated or without_ip) as no_proof,
    string_agg(nullif(concat_ws('; ', case when refused_at is not null then format('the %s refused or withdrew', party)
        when not gave then format('the %s gave no consent', party) end,
      case when late then format('the %s consented after it began', party) end,
      case when undated then format('the consent of the %s has no time', party) end,
      case when without_ip then format('the consent of the %s has no IP address', party) end), ''), '; ' order by party) as finding
  from consented
  where proven_at is null or refused_at >= proven_at
  group by recording
), faults as (
  select w.*, coalesce(u.no_consent, false) as no_consent, coalesce(u.no_proof, false) as no_proof, u.finding as said,
    not runs and not exists (select from stored_objects o where o.bucket = w.bucket and o.name = w.name) as no_file,
    not runs and (ended_at > started_at) is not true as wrong_times
  from windowed w left join unproven u using (recording)
), judged as (
  select *, concat_ws('; ', case when not known then 'its call is not known, so nobody can say who consented' end, said,
    case when no_file then 'its file is not in storage' end,
    case when wrong_times then case when started_at is null then 'it has no start' when ended_at is null then 'it has no end'
      else 'it does not end after its start' end end) as finding
  from faults
), kinds as (
  select by_test, kind, count(*) as recordings, count(*) filter (where finding <> '') as failing,
    count(*) filter (where no_consent) as without_consent, count(*) filter (where no_proof) as without_proof,
    count(*) filter (where no_file) as without_file, count(*) filter (where wrong_times) as with_wrong_times,
    count(*) filter (where not known) as of_unknown_calls, count(*) filter (where runs) as running
  from judged
  group by by_test, kind
), spare as (
  select *, recordings - 1 as others, (sum(recordings - 1) over each)::bigint as all_others,
    least(greatest(:sample - count(*) over each, 0), sum(recordings - 1) over each)::bigint as more
  from kinds
  window each as (partition by by_test)
), shares as (
  select *, coalesce(more * others / nullif(all_others, 0), 0) as whole, coalesce(more * others % nullif(all_others, 0), 0) as remainder
  from spare
), strata as (
  select *, case when by_test then 0 else 1 + whole + (row_number() over (partition by by_test order by remainder desc, kind)
    <= more - sum(whole) over (partition by by_test))::int end as drawn_of_kind
  from shares
), ranked as (
  select *, row_number() over (partition by by_test, kind order by md5(:seed || recording), recording) as place,
    row_number() over (partition by finding <> '' order by by_test, started_at, recording) as nth
  from judged
)
select by_test, kind, s.recordings, s.failing, s.without_consent, s.without_proof, s.without_file, s.with_wrong_times, s.of_unknown_calls,
  s.running, s.drawn_of_kind, r.place <= s.drawn_of_kind as drawn, r.recording, r.call, r.started_at, r.ended_at, r.bucket, r.name, r.finding
from ranked r join strata s using (by_test, kind)
where r.place <= greatest(s.drawn_of_kind, 1) or (r.finding <> '' and r.nth <= :rows)
order by by_test, kind, place
) answer
