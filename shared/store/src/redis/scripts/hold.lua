#!lua flags=allow-oom
-- Takes or renews a lease; gives 1 if this owner has it. It runs without memory too: who is alive must not depend on it.
--
-- KEYS: the lease
-- ARGV: owner, milliseconds
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
