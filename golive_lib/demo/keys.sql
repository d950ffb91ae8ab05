-- Primary keys, references and indexes, once the rows are in.
alter table auth.users add primary key (id), add unique (email);
alter table storage.buckets add primary key (id);
alter table storage.objects add primary key (id), add unique (bucket_id, name), add foreign key (bucket_id) references storage.buckets;
alter table profiles add primary key (user_id), add foreign key (user_id) references auth.users on delete cascade;
alter table decks add primary key (id);
alter table deck_cards add primary key (id), add unique (deck_id, card_number), add foreign key (deck_id) references decks;
alter table bookings add primary key (id), add foreign key (client_id) references profiles, add foreign key (reader_id) references profiles;
alter table tarot_v2_readings add primary key (id), add foreign key (client_id) references profiles,
  add foreign key (reader_id) references profiles, add foreign key (deck_id) references decks;
alter table tarot_v2_card_selections add primary key (id), add foreign key (reading_id) references tarot_v2_readings on delete cascade,
  add foreign key (card_id) references deck_cards;
alter table call_sessions add primary key (id), add foreign key (booking_id) references bookings,
  add foreign key (client_id) references profiles, add foreign key (reader_id) references profiles;
alter table call_consent_logs add primary key (id), add foreign key (call_id) references call_sessions, add foreign key (user_id) references profiles;
alter table call_recordings add primary key (id), add foreign key (call_id) references call_sessions;
alter table emergency_calls add primary key (id), add foreign key (client_id) references profiles, add foreign key (reader_id) references profiles;
alter table payment_transactions add primary key (id), add foreign key (user_id) references profiles, add foreign key (booking_id) references bookings;
alter table security_audit_logs add primary key (id);
alter table daily_zodiac add primary key (id), add unique (sign, day);
alter table reader_availability add primary key (id), add foreign key (reader_id) references profiles;
alter table availability_overrides add primary key (id), add foreign key (reader_id) references profiles;
alter table feature_flags add primary key (key);

create index on bookings (created_at);
create index on bookings (scheduled_at);
create index on bookings (client_id);
create index on bookings (reader_id);
create index on tarot_v2_readings (created_at);
create index on tarot_v2_readings (client_id);
create index on tarot_v2_readings (deck_id);
create index on tarot_v2_readings (reader_id);
create index on tarot_v2_card_selections (reading_id, card_position);
create index on tarot_v2_card_selections (card_id);
create index on tarot_v2_card_selections (created_at);
create index on call_sessions (requested_at);
create index on call_sessions (booking_id);
create index on call_sessions (client_id);
create index on call_sessions (reader_id);
create index on call_consent_logs (created_at);
create index on call_consent_logs (call_id);
create index on call_consent_logs (user_id);
create index on call_recordings (created_at);
create index on call_recordings (call_id);
create index on emergency_calls (requested_at);
create index on emergency_calls (client_id);
create index on emergency_calls (reader_id);
create index on payment_transactions (booking_id);
create index on payment_transactions (created_at);
create index on payment_transactions (settled_at);
create index on payment_transactions (user_id);
create index on security_audit_logs (created_at);
create index on daily_zodiac (day);
create index on reader_availability (reader_id);
create index on availability_overrides (reader_id, day);
create index on storage.objects (created_at);
