-- Writes a resource if it is at the revision seen; gives 1 if it was, 2 if its definition has no count in the partition.
--
-- KEYS: the resource, the list that it stands in, uses of definitions, definitions not in use
-- ARGV: the revision seen (empty: there must be none), the next revision (empty: it is removed), ARN, record, hash of the definition
--   (empty: it has none)
local call = redis.call
if (call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then return 0 end
local before, definition = call('HGET', KEYS[1], 'h') or '', ARGV[5]
if definition ~= before then
    if definition ~= '' then
        local uses = call('HGET', KEYS[3], definition)
        if not uses then return 2 end
        call('HINCRBY', KEYS[3], definition, 1)
        if uses == '0' then call('ZREM', KEYS[4], definition) end
    end
    if before ~= '' and call('HINCRBY', KEYS[3], before, -1) == 0 then
        local clock = call('TIME')
        call('ZADD', KEYS[4], clock[1] * 1000 + math.floor(clock[2] / 1000), before)
    end
end
if ARGV[2] == '' then
    call('DEL', KEYS[1])
    call('ZREM', KEYS[2], ARGV[3])
else
    call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[4], 'h', definition)
    call('ZADD', KEYS[2], 0, ARGV[3])
end
return 1
