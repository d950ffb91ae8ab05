-- title: How many large objects are there, which no dump of schemas holds?
select count(*) as objects from pg_largeobject_metadata
