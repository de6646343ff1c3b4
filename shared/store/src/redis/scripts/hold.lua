#!lua flags=allow-oom
-- Takes or renews a lease, or gives it back; gives 1 if this owner has it, or had it. It runs without memory too: who sweeps must not
-- depend on it.
--
-- KEYS: the lease
-- ARGV: owner, milliseconds (0 gives it back)
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
if ARGV[2] == '0' then
    redis.call('DEL', KEYS[1])
else
    redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
end
return 1
