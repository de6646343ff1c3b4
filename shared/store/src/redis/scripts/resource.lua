-- Writes a resource if it is at the revision seen; gives 1 if it was, 2 if a definition of it has no count in the partition.
--
-- KEYS: the resource, the list that it stands in, uses of definitions, definitions not in use
-- ARGV: the revision seen (empty: there must be none), the next revision (empty: it is removed), ARN, record, hashes of the
--   definitions with blanks between them
local call = redis.call
if (call('HGET', KEYS[1], 'v') or '') ~= ARGV[1] then return 0 end
local function each(hashes) return string.gmatch(hashes, '%S+') end
local hashes = call('HGET', KEYS[1], 'h') or ''
local before, after, added = {}, {}, {}
for hash in each(hashes) do before[hash] = true end
for hash in each(ARGV[5]) do
    after[hash] = true
    if not before[hash] then
        local uses = call('HGET', KEYS[3], hash)
        if not uses then return 2 end
        added[#added + 1] = { hash, uses }
    end
end
for _, one in ipairs(added) do
    call('HINCRBY', KEYS[3], one[1], 1)
    if one[2] == '0' then call('ZREM', KEYS[4], one[1]) end
end
for hash in each(hashes) do
    if not after[hash] and call('HINCRBY', KEYS[3], hash, -1) == 0 then
        local clock = call('TIME')
        call('ZADD', KEYS[4], clock[1] * 1000 + math.floor(clock[2] / 1000), hash)
    end
end
if ARGV[2] == '' then
    call('DEL', KEYS[1])
    call('ZREM', KEYS[2], ARGV[3])
else
    call('HSET', KEYS[1], 'v', ARGV[2], 'd', ARGV[4], 'h', ARGV[5])
    call('ZADD', KEYS[2], 0, ARGV[3])
end
return 1
