-- The launch was rolled back at the end of the 25 % stage.
update public.feature_flags set value = 'false', updated_at = '2026-03-24 14:00Z' where key = 'backend.flatTables';
update public.feature_flags set value = '25', updated_at = '2026-03-24 10:00Z' where key = 'backend.flatTables.canaryPercentage';
