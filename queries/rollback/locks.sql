-- title: Which locks does this transaction hold on relations?
-- why: The system's own catalogs are left out: every statement locks some of them.
select l.relation::regclass::text as relation, l.mode
from pg_locks l left join pg_class c on c.oid = l.relation
left join pg_namespace n on n.oid = c.relnamespace
where l.pid = pg_backend_pid() and l.locktype = 'relation' and l.granted
  and l.database = (select oid from pg_database where datname = current_database())
  and n.nspname is distinct from 'pg_catalog' and n.nspname is distinct from 'information_schema'
  and n.nspname is distinct from 'pg_toast'
order by 1, 2
