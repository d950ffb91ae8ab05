-- title: Which files do tables point to that are not in storage?
-- sources: stored_files, stored_objects
-- params: rows int = 50
-- fix: Restore the objects from a copy of storage, or mend the rows that point to them.
select f.holder, f.bucket, f.name from stored_files f
where not exists (select from stored_objects o where o.bucket = f.bucket and o.name = f.name)
order by f.holder, f.bucket, f.name
limit :rows
