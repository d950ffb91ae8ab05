-- title: Which server is this, and how large is the database?
select current_database() as database, current_setting('server_version') as version,
  pg_database_size(current_database()) as bytes
