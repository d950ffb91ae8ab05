-- Compatibility views: the app of before the release reads and writes the schema samia; its tables are now flat, in public.
-- Run by `golive rollback --level 2`, and before the night by `golive rollback --rehearse`. Safe to run again.
-- Every view is security_invoker: row level security goes on asking whoever reads, not the views' owner.
begin;

create schema if not exists samia;

create or replace view samia.profiles with (security_invoker = true) as select * from public.profiles;
create or replace view samia.decks with (security_invoker = true) as select * from public.decks;
create or replace view samia.deck_cards with (security_invoker = true) as select * from public.deck_cards;
create or replace view samia.bookings with (security_invoker = true) as select * from public.bookings;
create or replace view samia.readings with (security_invoker = true) as select * from public.tarot_v2_readings;
create or replace view samia.card_selections with (security_invoker = true) as
  select * from public.tarot_v2_card_selections;
create or replace view samia.call_sessions with (security_invoker = true) as select * from public.call_sessions;
create or replace view samia.call_consent_logs with (security_invoker = true) as select * from public.call_consent_logs;
create or replace view samia.call_recordings with (security_invoker = true) as select * from public.call_recordings;
create or replace view samia.emergency_calls with (security_invoker = true) as select * from public.emergency_calls;
create or replace view samia.payments with (security_invoker = true) as select * from public.payment_transactions;
create or replace view samia.reader_availability with (security_invoker = true) as
  select * from public.reader_availability;
create or replace view samia.daily_zodiac with (security_invoker = true) as select * from public.daily_zodiac;

grant usage on schema samia to anon, authenticated, service_role;
grant select, insert, update, delete on all tables in schema samia to authenticated, service_role;
grant select on all tables in schema samia to anon;

commit;
