-- title: Which btree index begins with this column, and how large is its table?
-- why: A window is read through such an index, or by reading the whole table.
-- params: relation int, attribute int
select c.oid::regclass::text as relation, a.attname as attribute, greatest(c.reltuples, 0)::bigint as estimated_rows,
  (select i.indexrelid::regclass::text from pg_index i join pg_class x on x.oid = i.indexrelid
    join pg_am m on m.oid = x.relam
    where i.indrelid = c.oid and i.indkey[0] = a.attnum and m.amname = 'btree' and i.indisvalid and i.indpred is null
    order by i.indexrelid limit 1) as index
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.oid = :relation::oid and a.attnum = :attribute
