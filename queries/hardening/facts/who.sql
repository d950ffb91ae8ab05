-- title: Who is at work here, and when?
select session_user::text as login, to_char(now() at time zone 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') as at
