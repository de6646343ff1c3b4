#!lua flags=allow-oom
-- Removes a definition that nothing refers to, step by step; define.lua says what for. It frees memory, so it runs without any.
--
-- KEYS: of `condemn`, `remove` the definition, else the partition's uses, then its definitions not in use
-- ARGV: what to do, then
--   unused AGE COUNT    lists definitions that have had no reference in the partition for so many milliseconds
--   condemn             marks it for removal, and gives the mark
--   unpin HASH          forgets the count of it if that is 0; gives 1 if it is not
--   remove MARK         removes it if it still has this mark; gives 1 if it had
--   settle HASH         takes it from the list of those not in use, unless it has a count that is 0
local call = redis.call
local operation, argument = ARGV[1], ARGV[2]
if operation == 'unused' then
    local clock = call('TIME')
    local before = clock[1] * 1000 + math.floor(clock[2] / 1000) - argument
    return call('ZRANGE', KEYS[2], '-inf', before, 'BYSCORE', 'LIMIT', 0, ARGV[3])
elseif operation == 'condemn' then
    if call('EXISTS', KEYS[1]) == 0 then return 0 end
    local mark = call('HINCRBY', KEYS[1], 'n', 1)
    call('HSET', KEYS[1], 'x', mark)
    return mark
elseif operation == 'unpin' then
    local count = call('HGET', KEYS[1], argument)
    if count and count ~= '0' then return 1 end
    call('HDEL', KEYS[1], argument)
elseif operation == 'remove' then
    if call('HGET', KEYS[1], 'x') ~= argument then return 0 end
    call('DEL', KEYS[1])
    return 1
elseif operation == 'settle' then
    if call('HGET', KEYS[1], argument) ~= '0' then call('ZREM', KEYS[2], argument) end
end
return 0
