-- title: Which functions can the API call, and with whose rights do they run?
-- why: A security definer function reads with its owner's rights; a search path that the caller sets decides which tables it means.
-- params: schemas text
select format('%I.%I(%s)', n.nspname, f.proname, pg_get_function_identity_arguments(f.oid)) as function, f.prosecdef as definer,
  f.prorettype = 'trigger'::regtype or f.prorettype = 'event_trigger'::regtype as is_trigger,
  exists (select from unnest(f.proconfig) setting where setting like 'search_path=%') as path_is_set,
  coalesce((select string_agg(r.rolname, ', ' order by r.rolname) from pg_roles r
    where r.rolname in ('anon', 'authenticated') and has_function_privilege(r.oid, f.oid, 'execute')), '') as callers
from pg_proc f join pg_namespace n on n.oid = f.pronamespace
where n.nspname = any (string_to_array(:schemas, ',')) and f.prokind in ('f', 'p')
  and not exists (select from pg_depend d where d.classid = 'pg_proc'::regclass and d.objid = f.oid and d.deptype = 'e')
order by 1
