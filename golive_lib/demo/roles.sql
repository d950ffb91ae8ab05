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
