-- Postgres compresses bodies of deliveries before it stores them, and lz4 costs it less than its usual method (measured by
-- `tests/bench intake`). Servers before 14, and those built without lz4, go on with the usual one: both can be read side
-- by side.
do $$
begin
    execute 'alter table delivery alter column body set compression lz4';
exception
    when feature_not_supported or syntax_error then
        raise notice 'this server has no lz4: bodies of deliveries are compressed by its usual method';
end
$$;
