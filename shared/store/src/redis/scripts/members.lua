#!lua flags=allow-oom
-- Says that an owner is alive for so long, if one is given; lists those that are alive. It runs without memory too: who is alive must
-- not depend on it.
--
-- KEYS: the members
-- ARGV: milliseconds, owner
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[2] then
    redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
    redis.call('ZADD', KEYS[1], now + tonumber(ARGV[1]), ARGV[2])
    return {}
end
return redis.call('ZRANGEBYSCORE', KEYS[1], '(' .. now, '+inf')
