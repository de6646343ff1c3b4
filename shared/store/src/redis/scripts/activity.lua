-- Puts a task into the queue of an activity, claims the first one, or shows one again. Each has the instant from which it is seen.
--
-- KEYS: the queue
-- ARGV: `offer`, task; `claim`, milliseconds; `return`, task
local call = redis.call
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if ARGV[1] == 'offer' then
    call('ZADD', KEYS[1], 'NX', string.format('%d', now), ARGV[2])
elseif ARGV[1] == 'return' then
    call('ZADD', KEYS[1], 'XX', string.format('%d', now), ARGV[2])
else
    local first = call('ZRANGE', KEYS[1], '-inf', string.format('%d', now), 'BYSCORE', 'LIMIT', 0, 1)[1]
    if first then call('ZADD', KEYS[1], string.format('%d', now + ARGV[2]), first) end
    return first
end
