-- title: Which views are there, which version of each, and whose policies do they pass by?
-- why: A view without security_invoker reads as its owner: tables behind it lose their row level security.
select format('%I.%I', n.nspname, v.relname) as view, v.xmin::text as version,
  coalesce(substring(array_to_string(v.reloptions, ',') from 'security_invoker=([^,]*)'), 'false')
    in ('true', 'on', '1', 'yes') as invoker,
  coalesce((select string_agg(distinct t.oid::regclass::text, ', ') from pg_rewrite r
    join pg_depend d on d.classid = 'pg_rewrite'::regclass and d.objid = r.oid and d.refclassid = 'pg_class'::regclass
    join pg_class t on t.oid = d.refobjid and t.relrowsecurity
    where r.ev_class = v.oid), '') as guarded
from pg_class v join pg_namespace n on n.oid = v.relnamespace
where v.relkind in ('v', 'm') and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_temp'
order by 1
