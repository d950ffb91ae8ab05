-- title: Which indexes of large tables are the same as another one?
-- why: Same table, method, columns, operator classes, collations, order, expressions and condition. Kept is the primary key, else what a
--   constraint needs, else the unique one, else the oldest; what a constraint or replication needs is never a suspect.
-- params: schemas text, min_rows int = 10000, most int = 100
-- fix: Drop the copy, concurrently.
select format('%I.%I', n.nspname, c.relname) as "table", format('%I.%I', xn.nspname, x.relname) as index, format('%I.%I', xn.nspname, k.relname) as kept,
  greatest(c.reltuples, 0)::bigint as rows, pg_relation_size(s.indexrelid) as bytes, u.idx_scan as scans,
  format('drop index concurrently %I.%I;', xn.nspname, x.relname) as sql
from (
  select i.*, needed, first_value(i.indexrelid) over same as kept, first_value(i.indnullsnotdistinct) over same as kept_nulls
  from pg_index i join pg_class r on r.oid = i.indexrelid
  cross join lateral (select i.indisreplident or exists (select from pg_constraint where conindid = i.indexrelid) as needed) o
  where i.indisvalid and r.relkind = 'i' and not r.relispartition
  window same as (
    partition by i.indrelid, r.relam, i.indnkeyatts, i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text,
      coalesce(pg_get_expr(i.indexprs, i.indrelid), ''), coalesce(pg_get_expr(i.indpred, i.indrelid), '')
    order by i.indisprimary desc, needed desc, i.indisunique desc, i.indexrelid)
) s
join pg_class x on x.oid = s.indexrelid join pg_namespace xn on xn.oid = x.relnamespace
join pg_class k on k.oid = s.kept join pg_class c on c.oid = s.indrelid join pg_namespace n on n.oid = c.relnamespace
left join pg_stat_user_indexes u on u.indexrelid = s.indexrelid
where s.indexrelid <> s.kept and not s.needed and (not s.indisunique or s.indnullsnotdistinct = s.kept_nulls)
  and n.nspname = any (string_to_array(:schemas, ',')) and c.reltuples >= :min_rows
order by bytes desc, index
limit :most
