-- What a rollback changes, as it is at the story's beginning: the flags, and no view under the old names.
select pg_stat_reset();  -- what earlier reports read counts for nothing
drop schema if exists samia cascade;
delete from public.feature_flags;
insert into public.feature_flags values
  ('backend.flatTables', 'true', '2026-03-24 08:00Z'),
  ('backend.flatTables.canaryPercentage', '100', '2026-03-24 22:00Z'),
  ('calls.video', 'false', '2026-03-02 09:00Z'),
  ('billing.emergencyProgressivePricing', 'false', '2026-03-02 09:00Z'),
  ('ui.rtlRefine', 'true', '2026-03-09 09:00Z'),
  ('uploads.deckBulk', 'true', '2026-03-09 09:00Z'),
  ('feature.readerInstant', 'true', '2026-03-09 09:00Z'),
  ('feature.emergencyExtension', 'true', '2026-03-10 09:00Z'),
  ('feature.tarotV2', 'true', '2026-03-11 09:00Z'),
  ('feature.dailyZodiac', 'true', '2026-03-11 09:00Z');
