-- Writes a resource if it is at the revision seen; gives 1 if it was.
--
-- KEYS: the resource, the list that it stands in
-- ARGV: the revision seen (empty: there must be none), the next revision (empty: it is removed), ARN, record
local call = redis.call
if (call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then
    call('DEL', KEYS[1])
    call('ZREM', KEYS[2], ARGV[3])
else
    call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[4])
    call('ZADD', KEYS[2], 0, ARGV[3])
end
return 1
