-- Supabase's roles and the kit's own: it reads everything, also what row level security hides, and writes nothing.
do $$ declare r text; begin
  foreach r in array array['anon', 'authenticated', 'service_role', 'golive_ro'] loop
    if not exists (select from pg_roles where rolname = r) then execute format('create role %I nologin', r); end if;
  end loop;
end $$;
alter role service_role bypassrls;
alter role golive_ro login bypassrls;
alter role golive_ro set default_transaction_read_only = on;
grant pg_read_all_data to golive_ro;

-- A user as Supabase's pooler writes it, with the project's ref behind the dot; the same rights as golive_ro.
do $$ begin
  if not exists (select from pg_roles where rolname = 'golive_ro.demosamiatarotlaunch') then
    create role "golive_ro.demosamiatarotlaunch" login;
  end if;
end $$;
alter role "golive_ro.demosamiatarotlaunch" bypassrls;
alter role "golive_ro.demosamiatarotlaunch" set default_transaction_read_only = on;
grant pg_read_all_data to "golive_ro.demosamiatarotlaunch";
-- To act as the API's roles in a probe, without inheriting their rights to write; before PostgreSQL 16 that cannot be said.
do $$ begin
  if current_setting('server_version_num')::int >= 160000 then
    execute 'grant anon, authenticated to golive_ro with inherit false, set true';
  end if;
end $$;
