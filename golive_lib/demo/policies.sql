-- Row level security as the app runs it: people see their own rows; logs and flags' history belong to the service role.
do $$ declare t regclass; begin
  for t in select oid from pg_class where relkind = 'r' and relnamespace::regnamespace::text in ('public', 'auth', 'storage') loop
    execute format('alter table %s enable row level security', t);
  end loop;
end $$;

create policy profiles_own on profiles for select to authenticated using (user_id = (select auth.uid()));
create policy profiles_readers on profiles for select to authenticated using (role = 'reader');
create policy decks_read on decks for select to anon, authenticated using (true);
create policy deck_cards_read on deck_cards for select to anon, authenticated using (true);
create policy bookings_own on bookings for select to authenticated
  using (client_id = (select auth.uid()) or reader_id = (select auth.uid()));
create policy bookings_insert on bookings for insert to authenticated with check (client_id = (select auth.uid()));
create policy readings_own on tarot_v2_readings for select to authenticated
  using (client_id = (select auth.uid()) or reader_id = (select auth.uid()));
create policy selections_own on tarot_v2_card_selections for select to authenticated
  using (reading_id in (select id from tarot_v2_readings));
create policy calls_own on call_sessions for select to authenticated
  using (client_id = (select auth.uid()) or reader_id = (select auth.uid()));
create policy consent_own on call_consent_logs for select to authenticated using (user_id = (select auth.uid()));
create policy consent_insert on call_consent_logs for insert to authenticated with check (user_id = (select auth.uid()));
create policy recordings_own on call_recordings for select to authenticated using (call_id in (select id from call_sessions));
create policy sirens_own on emergency_calls for select to authenticated
  using (client_id = (select auth.uid()) or reader_id = (select auth.uid()));
create policy payments_own on payment_transactions for select to authenticated using (user_id = (select auth.uid()));
create policy payments_insert on payment_transactions for insert to authenticated with check (user_id = (select auth.uid()));
create policy pay_tx_block_tests on payment_transactions as restrictive for insert to authenticated
  with check (not exists (select from profiles p where p.user_id = auth.uid() and p.is_test));
create policy availability_read on reader_availability for select to anon, authenticated using (true);
create policy overrides_read on availability_overrides for select to anon, authenticated using (true);
create policy zodiac_read on daily_zodiac for select to anon, authenticated using (true);
create policy flags_read on feature_flags for select to anon, authenticated using (true);
create policy objects_public on storage.objects for select to anon, authenticated
  using (bucket_id in (select id from storage.buckets where public));
create policy buckets_public on storage.buckets for select to anon, authenticated using (public);

grant usage on schema public, auth, storage to anon, authenticated, service_role;
grant select, insert, update, delete on all tables in schema public, storage to authenticated, service_role;
grant select on all tables in schema public, storage to anon;
grant select on all tables in schema auth to service_role;
grant usage on all sequences in schema public to authenticated, service_role;
