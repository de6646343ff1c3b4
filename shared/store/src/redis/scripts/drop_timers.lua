#!lua flags=allow-oom
-- Drops timers unless they were set to another instant meanwhile.
--
-- KEYS: timers
-- ARGV: timer, instant, …
for index = 1, #ARGV, 2 do
    local score = redis.call('ZSCORE', KEYS[1], ARGV[index])
    if score and tonumber(score) == tonumber(ARGV[index + 1]) then redis.call('ZREM', KEYS[1], ARGV[index]) end
end
return 0
