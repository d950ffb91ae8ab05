-- title: What became of a transaction: committed, aborted, or still in progress?
-- params: id text
select pg_xact_status(:id::xid8) as fate
