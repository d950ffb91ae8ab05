-- The launch stopped at 25 %; nobody has turned the flag off yet, so that it can be rolled back.
update public.feature_flags set value = '25', updated_at = '2026-03-24 10:00Z' where key = 'backend.flatTables.canaryPercentage';
