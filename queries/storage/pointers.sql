-- title: How many files does each table point to, and how many of them are not in storage?
-- sources: stored_files, stored_objects
-- fix: Restore the objects from a copy of storage, or mend the rows that point to them.
select f.holder, f.bucket, count(*) as files, count(*) - count(o.name) as missing
from stored_files f left join (select distinct bucket, name from stored_objects) o on o.bucket = f.bucket and o.name = f.name
group by f.holder, f.bucket
order by f.holder, f.bucket
