#!lua
-- Makes one commit: reads and checks everything, then writes what can't fail. docs/formats/redis.md describes the keys.
-- Without flags, so that a server that is out of memory refuses it before its first write.
--
-- KEYS: execution, history, outbox, timers
-- ARGV: the head (counts and numbers, packed), then what the head announces, in the order in which `arg` is called here.
local call, unpack_head, concat = redis.call, struct.unpack, table.concat
local EXECUTION, HISTORY, OUTBOX, TIMERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local CREATION, BRANCH = 1, 2
-- How many arguments go into one command: unpack breaks near 8,000.
local STEP = 500
-- The fields of an ended execution of which nothing is left over.
local FIELDS_OF_AN_ENDED = 8
-- How many closed branches stand in one element of the cleanup list.
local BRANCHES_PER_ELEMENT = 64

local kind, respects_lease, has_next, has_end, has_joined, has_taken, event_count, latest, assumed, events_max,
    lease, opened_delta, scope_count, listed_count, child_count, opened_count, inline_count, timers_set_count,
    timers_dropped_count, added_count, dropped_count =
    unpack_head('<BBBBBBI4I8I8I8I4i4I4I4I4I4I4I4I4I4I4', ARGV[1])
local commit, owner, arn, prefix = ARGV[2], ARGV[3], ARGV[4], ARGV[5]

local cursor = 5
local function arg()
    cursor = cursor + 1
    return ARGV[cursor]
end

local path, guard
local record, machine, started_at
if kind == CREATION then
    record, machine, started_at = arg(), arg(), arg()
elseif kind == BRANCH then
    path, guard = arg(), arg()
end

-- What is read ----------------------------------------------------------------------------------------------------------

local fields = { 'status', 'ev', 'at', 'x', 'open', kind == BRANCH and 'b:' .. path or 'c' }
local scopes = {}
for index = 1, scope_count do
    -- mode: -1 the scope is around the subject, -2 it is another that must be open, else it is closed and has so many branches.
    scopes[index] = { name = arg(), mode = tonumber(arg()), delta = tonumber(arg()) }
    fields[6 + index] = 's:' .. scopes[index].name
end
local found = call('HMGET', EXECUTION, unpack(fields, 1, math.min(#fields, STEP)))
for first = STEP + 1, #fields, STEP do
    local more = call('HMGET', EXECUTION, unpack(fields, first, math.min(#fields, first + STEP - 1)))
    for index = 1, #more do found[first + index - 1] = more[index] end
end
local status, base, clamp, whole, open_count, header = found[1], found[2], found[3], found[4], found[5], found[6]
local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local function repeated(answer)
    return answer and string.sub(answer, 1, 16) == commit
end
local function first_answer(pattern, answer)
    local made_base, made_clamp, woke, more = string.match(answer, pattern)
    return concat({ 'ok', made_base, made_clamp, woke, more }, ';')
end
local NOTED = '^[^;]*;([^;]*);([^;]*);([^;]*);([^;|]*)'
local IN_HEADER = '^[^;]*;[^;]*;[^;]*;([^;]*);([^;]*);([^;]*);([^;]*)'

local function key_of(letter, scope)
    return prefix .. letter .. ':' .. scope .. ';' .. arn
end

-- What is checked -------------------------------------------------------------------------------------------------------

local joined_scope, joined_index, completion, output
if has_joined == 1 then joined_scope, joined_index, completion, output = arg(), arg(), arg(), arg() end

if kind == CREATION then
    if status then
        if repeated(header) then return first_answer(NOTED, header) end
        return 'exists'
    end
    base, clamp, open_count = 0, 0, 0
else
    if not status then return 'missing' end
    if repeated(whole) then return first_answer(NOTED, whole) end
    if kind == BRANCH then
        if repeated(header) then return first_answer(IN_HEADER, header) end
        if not header and has_joined == 1 then
            local result = call('HGET', key_of('r', joined_scope), joined_index)
            if repeated(result) then return first_answer(NOTED, result) end
        end
    end
    if status ~= 'RUNNING' then return 'closed' end
    base, clamp, open_count = tonumber(base), tonumber(clamp), tonumber(open_count)
end

local by_name = {}
local is_stale = false
for index = 1, scope_count do
    local scope = scopes[index]
    local text = found[6 + index]
    if not text then
        if scope.mode == -1 then return 'closed' end
        is_stale = true
    else
        scope.wake = string.sub(text, 1, 1)
        scope.open = tonumber(string.sub(text, 3))
        if scope.mode >= 0 and scope.open ~= scope.mode then is_stale = true end
        by_name[scope.name] = scope
    end
end
if is_stale then return 'stale' end
if kind == BRANCH and (not header or string.sub(header, 18, 17 + #guard) ~= guard) then return 'stale' end

local listed = {}
for index = 1, listed_count do
    listed[index] = { path = arg(), guard = arg() }
end
for first = 1, listed_count, STEP do
    local last = math.min(listed_count, first + STEP - 1)
    local names = {}
    for index = first, last do names[#names + 1] = 'b:' .. listed[index].path end
    local headers = call('HMGET', EXECUTION, unpack(names))
    for index = first, last do
        local seen = headers[index - first + 1]
        local expected = listed[index].guard
        if not seen or string.sub(seen, 18, 17 + #expected) ~= expected then return 'stale' end
        listed[index].header = seen
    end
end
local is_whole = kind ~= CREATION and kind ~= BRANCH
if is_whole and listed_count ~= open_count then return 'stale' end

local REST = '^[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;([^;]*);([^;]*);([^;]*);([^;]*);(.*)$'
if kind == BRANCH and respects_lease == 1 then
    local leased_until, _, _, _, holder = string.match(header, REST)
    if holder ~= owner and tonumber(leased_until) > now then return 'leased;' .. leased_until end
end
if assumed > 0 and assumed - 1 ~= base then return 'base;' .. base end
if events_max > 0 and base + event_count > events_max - 1 then return 'full;' .. base end

-- What is written -------------------------------------------------------------------------------------------------------

local function batched(command, key, list)
    local count = #list
    if count == 0 then return end
    for first = 1, count, STEP do
        call(command, key, unpack(list, first, math.min(count, first + STEP - 1)))
    end
end

local set, del, added, dropped = {}, {}, {}, {}
local function put(field, value)
    local count = #set
    set[count + 1], set[count + 2] = field, value
end

local woke, more = '0', '0'
if has_joined == 1 then
    local scope = by_name[joined_scope]
    if scope.wake == '0' then
        woke, scope.wake, scope.is_changed = '1', '1', true
        added[1] = 'w;' .. joined_scope .. ';;' .. arn
    end
end
if has_taken == 1 then
    local name, taken = arg(), tonumber(arg())
    local scope = by_name[name]
    if scope and scope.mode < 0 then
        if call('LLEN', key_of('c', name)) > taken then
            more = '1'
        else
            scope.wake, scope.is_changed = '0', true
            dropped[1] = 'w;' .. name .. ';;' .. arn
        end
    end
end
local noted = concat({ commit, base, clamp, woke, more }, ';')
local leased_until = now + lease

local function put_branch(branch, next_guard, attempt, entry, timers, text)
    put('b:' .. branch, concat({
        commit .. ';' .. next_guard .. base, clamp, woke, more, leased_until, attempt, entry, timers, owner,
    }, ';'))
    put('d:' .. branch, text)
end

local subject_timers = ''
if kind == BRANCH then
    local names_dropped, names_set = arg(), arg()
    local _, _, _, timers = string.match(header, REST)
    subject_timers = timers
    if names_dropped ~= '' then
        for name in string.gmatch(names_dropped, '[^,]+') do
            local first, last = string.find(subject_timers, ',' .. name .. ',', 1, true)
            if first then
                subject_timers = string.sub(subject_timers, 1, first) .. string.sub(subject_timers, last + 1)
            end
        end
    end
    for name in string.gmatch(names_set, '[^,]+') do
        if subject_timers == '' or subject_timers == ',' then
            subject_timers = ',' .. name .. ','
        elseif not string.find(subject_timers, ',' .. name .. ',', 1, true) then
            subject_timers = subject_timers .. name .. ','
        end
    end
    if subject_timers == ',' then subject_timers = '' end
end
if kind == CREATION then subject_timers = arg() end
if has_next == 1 then
    local next_path, next_guard, attempt, entry, text = arg(), arg(), arg(), arg(), arg()
    put_branch(next_path, next_guard, attempt, entry, subject_timers, text)
elseif kind == BRANCH then
    del[1], del[2] = 'b:' .. path, 'd:' .. path
end
for _ = 1, child_count do
    put_branch(arg(), arg(), arg(), arg(), arg(), arg())
end

local function forget_scope(name)
    call('UNLINK', key_of('c', name), key_of('r', name), key_of('g', name))
end
-- After the end the branches and scopes that are still there are left to the cleanup as a whole.
if has_end == 0 then
    local leftover = {}
    for index = 1, scope_count do
        local scope = scopes[index]
        if scope.mode >= 0 then
            del[#del + 1] = 's:' .. scope.name
            dropped[#dropped + 1] = 'w;' .. scope.name .. ';;' .. arn
            forget_scope(scope.name)
            scope.is_closed = true
        end
    end
    for index = 1, listed_count do
        local branch = listed[index]
        local _, attempt, entry, timers = string.match(branch.header, REST)
        del[#del + 1] = 'b:' .. branch.path
        del[#del + 1] = 'd:' .. branch.path
        if entry ~= '' then del[#del + 1] = 's:' .. branch.path .. '@' .. entry end
        leftover[#leftover + 1] = concat({ branch.path, attempt, entry, timers }, ';')
        if #leftover == BRANCHES_PER_ELEMENT or index == listed_count then
            call('RPUSH', prefix .. 'cleanup', 'b\n' .. arn .. '\n' .. concat(leftover, '\n'))
            leftover = {}
        end
    end
end
for index = 1, scope_count do
    local scope = scopes[index]
    if not scope.is_closed and (scope.is_changed or scope.delta ~= 0) then
        put('s:' .. scope.name, scope.wake .. ';' .. (scope.open + scope.delta))
    end
end
for _ = 1, opened_count do
    local name, open, group_count = arg(), arg(), tonumber(arg())
    put('s:' .. name, '0;' .. open)
    for _ = 1, group_count do call('RPUSH', key_of('g', name), arg()) end
end
for _ = 1, inline_count do
    call('HSET', key_of('r', arg()), arg(), '|' .. arg())
end

if event_count > 0 then
    call('RPUSH', HISTORY, base .. ';' .. clamp .. '|' .. arg())
    put('ev', base + event_count)
    if latest > clamp then put('at', latest) end
end
if has_joined == 1 then
    call('RPUSH', key_of('c', joined_scope), base .. '|' .. completion)
    call('HSET', key_of('r', joined_scope), joined_index, noted .. '|' .. output)
end

if opened_delta ~= 0 then put('open', open_count + opened_delta) end
if kind == CREATION then
    put('head', record)
    put('status', 'RUNNING')
    put('c', noted)
    if opened_delta == 0 then put('open', 0) end
    if event_count == 0 then put('ev', 0) end
    if latest == 0 then put('at', 0) end
    call('SADD', prefix .. 'open', arn)
    call('ZADD', prefix .. 'i:' .. machine, started_at, arn)
end
if has_end == 1 or is_whole then put('x', noted) end
if has_end == 1 then
    local end_status, end_at, end_text = arg(), tonumber(arg()), arg()
    put('status', end_status)
    put('end', end_text)
    put('open', 0)
    call('SREM', prefix .. 'open', arn)
    call('ZADD', prefix .. 'closed', math.max(end_at, latest, clamp), arn)
end
batched('HSET', EXECUTION, set)
batched('HDEL', EXECUTION, del)

for _ = 1, dropped_count do dropped[#dropped + 1] = arg() end
batched('HDEL', OUTBOX, dropped)
for _ = 1, added_count do added[#added + 1] = arg() end
if #added > 0 then
    local entries, entry = {}, now .. ';' .. owner
    for index = 1, #added do entries[2 * index - 1], entries[2 * index] = added[index], entry end
    batched('HSET', OUTBOX, entries)
end

local timers = {}
for index = 1, timers_dropped_count do timers[index] = arg() end
if kind == BRANCH and has_next == 0 then
    for name in string.gmatch(subject_timers, '[^,]+') do timers[#timers + 1] = path .. ';' .. name .. ';' .. arn end
end
batched('ZREM', TIMERS, timers)
timers = {}
for index = 1, 2 * timers_set_count do timers[index] = arg() end
batched('ZADD', TIMERS, timers)

if has_end == 1 and call('HLEN', EXECUTION) > FIELDS_OF_AN_ENDED then
    call('RPUSH', prefix .. 'cleanup', 'e\n' .. arn .. '\n0')
end
return concat({ 'ok', base, clamp, woke, more }, ';')
