#!lua
-- Makes one commit: reads and checks everything, then writes what can't fail. docs/formats/redis.md describes the keys.
-- Without flags, so that a server that is out of memory refuses it before its first write.
--
-- KEYS: execution, history, outbox, timers
-- ARGV: the head (counts and numbers, packed), then what the head announces, in the order in which it is read here.
--
-- What each task pays for is written without functions and with few tables: those take Lua longer than all the rest.
local call, format, sub, find, match = redis.call, string.format, string.sub, string.find, string.match
local ARGV, unpack, tonumber = ARGV, unpack, tonumber
local EXECUTION, HISTORY, OUTBOX, TIMERS = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local CREATION, BRANCH = 1, 2
local COMMA = 44
-- How the ARN of an execution of type EXPRESS begins.
local EXPRESS = '^arn:[^:]*:[^:]*:[^:]*:[^:]*:express:'
-- How that of a Map Run begins.
local MAP_RUN = '^arn:[^:]*:[^:]*:[^:]*:[^:]*:mapRun:'
-- Stands for the wake flag of a scope in which nothing may happen any more.
local SHUT = 'x'
-- How many arguments go into one command: unpack breaks near 8,000.
local STEP = 500
-- How many fields an ended execution has of which nothing is left over.
local FIELDS_OF_AN_ENDED = 10
-- How many closed branches stand in one element of the cleanup list.
local BRANCHES_PER_ELEMENT = 64
-- A header is commit;revision;token;base;clamp;woke;more;leased until;attempt;entry;owner;timers. The commit has 16 digits.
local REVISION_AT = 18
local ANSWER_IN_HEADER = '^[^;]*;[^;]*;[^;]*;([^;]*);([^;]*);([^;]*);([^;]*)'
local REST_OF_HEADER = '^[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;([^;]*);([^;]*);([^;]*);(.*);([^;]*)$'
-- What is noted elsewhere is commit;base;clamp;woke;more, and then may come |.
local ANSWER_NOTED = '^[^;]*;([^;]*);([^;]*);([^;]*);([^;|]*)'

local kind, respects_lease, has_next, has_end, has_joined, has_taken, event_count, latest, assumed, events_max,
    lease, scope_count, listed_count, child_count, opened_count, inline_count, timers_set_count,
    timers_dropped_count, added_count, dropped_count =
    struct.unpack('<BBBBBBI4I8I8I8I4I4I4I4I4I4I4I4I4I4', ARGV[1])
local commit, owner, arn, prefix = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
-- The place of the next argument.
local at = 6

-- What is read ----------------------------------------------------------------------------------------------------------

local path, guard, record, listed_under, started_at, definition
local subject_field = 'c'
if kind == BRANCH then
    path, guard, at = ARGV[6], ARGV[7], 8
    subject_field = 'b:' .. path
elseif kind == CREATION then
    record, listed_under, started_at, definition, at = ARGV[6], ARGV[7], ARGV[8], ARGV[9], 10
end

local scopes, found
if scope_count == 0 then
    found = call('HMGET', EXECUTION, 'status', 'ev', 'at', 'x', 'bytes', subject_field)
else
    scopes = {}
    local fields = { 'status', 'ev', 'at', 'x', 'bytes', subject_field }
    for index = 1, scope_count do
        -- mode: -1 the scope is around the subject, -2 it is another that must be open, -3 it is shut and has more branches open than
        -- are listed, -4 it only counts what is closed within, else it is closed and has so many branches.
        scopes[index] = { name = ARGV[at], mode = tonumber(ARGV[at + 1]), delta = tonumber(ARGV[at + 2]) }
        fields[6 + index] = 's:' .. ARGV[at]
        at = at + 3
    end
    found = {}
    for first = 1, #fields, STEP do
        local some = call('HMGET', EXECUTION, unpack(fields, first, math.min(#fields, first + STEP - 1)))
        for index = 1, #some do found[first + index - 1] = some[index] end
    end
end
local status, base, clamp, last_whole, bytes, header = unpack(found, 1, 6)
local joined_scope, joined_index, completion, output
if has_joined == 1 then
    joined_scope, joined_index, completion, output = unpack(ARGV, at, at + 3)
    at = at + 4
end

-- What is checked -------------------------------------------------------------------------------------------------------

local first_answer, pattern
if kind == CREATION then
    if status then
        if sub(header, 1, 16) ~= commit then return 'exists' end
        first_answer, pattern = header, ANSWER_NOTED
    end
    base, clamp, bytes = '0', '0', '0'
else
    if not status then return 'missing' end
    if last_whole and sub(last_whole, 1, 16) == commit then
        first_answer, pattern = last_whole, ANSWER_NOTED
    elseif kind == BRANCH and header then
        if sub(header, 1, 16) == commit then first_answer, pattern = header, ANSWER_IN_HEADER end
    elseif has_joined == 1 then
        local result = call('HGET', prefix .. 'r:' .. joined_scope .. ';' .. arn, joined_index)
        if result and sub(result, 1, 16) == commit then first_answer, pattern = result, ANSWER_NOTED end
    end
end
if first_answer then
    local made_base, made_clamp, woke, more = match(first_answer, pattern)
    return 'ok;' .. made_base .. ';' .. made_clamp .. ';' .. woke .. ';' .. more
end
if kind ~= CREATION and status ~= 'RUNNING' then return 'closed' end
local uses
if kind == CREATION then
    uses = call('HGET', prefix .. 'uses', definition)
    if not uses then return 'undefined' end
end

local by_name
if scopes then
    by_name = {}
    local is_stale = false
    for index = 1, scope_count do
        local scope, text = scopes[index], found[6 + index]
        if text then
            scope.wake, scope.open = sub(text, 1, 1), tonumber(sub(text, 3))
            if scope.wake == SHUT and scope.mode == -1 then return 'closed' end
            if scope.wake == SHUT and scope.mode == -2 then is_stale = true end
            if scope.mode == -3 and scope.open <= -scope.delta then is_stale = true end
            if scope.mode >= 0 and scope.open ~= scope.mode then is_stale = true end
            by_name[scope.name] = scope
        elseif scope.mode == -1 then
            return 'closed'
        else
            is_stale = true
        end
    end
    if is_stale then return 'stale' end
end
if kind == BRANCH and not (header and sub(header, REVISION_AT, REVISION_AT - 1 + #guard) == guard) then
    return 'stale'
end

local listed
if listed_count > 0 then
    listed = {}
    for first = 1, listed_count, STEP do
        local names = {}
        local last = math.min(listed_count, first + STEP - 1)
        for index = first, last do names[#names + 1] = 'b:' .. ARGV[at + 2 * index - 2] end
        local headers = call('HMGET', EXECUTION, unpack(names))
        for index = first, last do
            local seen, revision = headers[index - first + 1], ARGV[at + 2 * index - 1]
            if not seen or sub(seen, REVISION_AT, REVISION_AT - 1 + #revision) ~= revision then return 'stale' end
            listed[index] = { path = ARGV[at + 2 * index - 2], header = seen }
        end
    end
    at = at + 2 * listed_count
end
local is_whole = kind ~= CREATION and kind ~= BRANCH

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
if kind == BRANCH and respects_lease == 1 then
    local leased_until, _, _, holder = match(header, REST_OF_HEADER)
    if holder ~= owner and tonumber(leased_until) > now then return 'leased;' .. leased_until end
end
if assumed > 0 and assumed - 1 ~= tonumber(base) then return 'base;' .. base end
local last_event = base + event_count
if events_max > 0 and last_event > events_max - 1 then return 'full;' .. base end

-- What is written -------------------------------------------------------------------------------------------------------

local woke, more = '0', '0'
-- An effect of the script's own: the parent is to be woken, or need not be any more.
local wake_added, wake_dropped
if has_joined == 1 then
    local scope = by_name[joined_scope]
    if scope.wake == '0' then
        woke, scope.wake, scope.is_changed = '1', '1', true
        wake_added = 'w;' .. joined_scope .. ';;' .. arn
    end
end
if has_taken == 1 then
    local name, taken = ARGV[at], tonumber(ARGV[at + 1])
    at = at + 2
    local scope = by_name[name]
    if scope and scope.mode < 0 then
        if call('LLEN', prefix .. 'c:' .. name .. ';' .. arn) > taken then
            more = '1'
        else
            scope.wake, scope.is_changed = '0', true
            wake_dropped = 'w;' .. name .. ';;' .. arn
        end
    end
end

-- A list of timers, `,a,b,`, stands at the end of the header; most branches have none.
local timers = ''
if kind == BRANCH then
    if string.byte(header, -1) == COMMA then timers = match(header, '[^;]*$') end
    local names_dropped, names_set = ARGV[at], ARGV[at + 1]
    at = at + 2
    if names_dropped ~= '' and timers ~= '' then
        for name in string.gmatch(names_dropped, '[^,]+') do
            local first, last = find(timers, ',' .. name .. ',', 1, true)
            if first then timers = sub(timers, 1, first) .. sub(timers, last + 1) end
        end
        if timers == ',' then timers = '' end
    end
    if names_set ~= '' then
        for name in string.gmatch(names_set, '[^,]+') do
            if timers == '' then
                timers = ',' .. name .. ','
            elseif not find(timers, ',' .. name .. ',', 1, true) then
                timers = timers .. name .. ','
            end
        end
    end
elseif kind == CREATION then
    timers = ARGV[at]
    at = at + 1
end

-- Lua prints a number as a float unless told otherwise, which takes it ten times as long.
local leased_until = format('%d', now + lease)
local settled = base .. ';' .. clamp .. ';' .. woke .. ';' .. more .. ';' .. leased_until .. ';'
local set, set_count = {}, 0
local del
if has_next == 1 then
    local next_path, next_guard, attempt, entry, text = unpack(ARGV, at, at + 4)
    at = at + 5
    set[1] = 'b:' .. next_path
    set[2] = commit .. ';' .. next_guard .. settled .. attempt .. ';' .. entry .. ';' .. owner .. ';' .. timers
    set[3], set[4] = 'd:' .. next_path, text
    set_count = 4
elseif kind == BRANCH then
    del = { subject_field, 'd:' .. path }
end
for _ = 1, child_count do
    local child, next_guard, attempt, entry, names, text = unpack(ARGV, at, at + 5)
    at = at + 6
    set[set_count + 1] = 'b:' .. child
    set[set_count + 2] =
        commit .. ';' .. next_guard .. settled .. attempt .. ';' .. entry .. ';' .. owner .. ';' .. names
    set[set_count + 3], set[set_count + 4] = 'd:' .. child, text
    set_count = set_count + 4
end

-- After the end the branches and scopes that are still there are left to the cleanup as a whole.
if has_end == 0 and scopes then
    for index = 1, scope_count do
        local scope = scopes[index]
        if scope.mode >= 0 then
            del = del or {}
            del[#del + 1] = 's:' .. scope.name
            local suffix = ':' .. scope.name .. ';' .. arn
            call('UNLINK', prefix .. 'c' .. suffix, prefix .. 'r' .. suffix, prefix .. 'g' .. suffix)
            call('HDEL', OUTBOX, 'w;' .. scope.name .. ';;' .. arn)
            scope.is_closed = true
        end
    end
end
if has_end == 0 and listed then
    del = del or {}
    local leftover = {}
    for index = 1, listed_count do
        local branch = listed[index]
        local _, attempt, entry, _, names = match(branch.header, REST_OF_HEADER)
        del[#del + 1] = 'b:' .. branch.path
        del[#del + 1] = 'd:' .. branch.path
        if entry ~= '' then del[#del + 1] = 's:' .. branch.path .. '@' .. entry end
        leftover[#leftover + 1] = branch.path .. ';' .. attempt .. ';' .. entry .. ';' .. names
        if #leftover == BRANCHES_PER_ELEMENT or index == listed_count then
            call('RPUSH', prefix .. 'cleanup', 'b\n' .. arn .. '\n' .. table.concat(leftover, '\n'))
            leftover = {}
        end
    end
end
for index = 1, scope_count do
    local scope = scopes[index]
    if scope.mode == -3 then scope.wake = SHUT end
    if not scope.is_closed and (scope.is_changed or scope.delta ~= 0) then
        set[set_count + 1] = 's:' .. scope.name
        set[set_count + 2] = scope.wake .. ';' .. format('%d', scope.open + scope.delta)
        set_count = set_count + 2
    end
end
for _ = 1, opened_count do
    local name, open, group_count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
    at = at + 3
    set[set_count + 1], set[set_count + 2] = 's:' .. name, '0;' .. open
    set_count = set_count + 2
    for _ = 1, group_count do
        call('RPUSH', prefix .. 'g:' .. name .. ';' .. arn, ARGV[at])
        at = at + 1
    end
end
for _ = 1, inline_count do
    call('HSET', prefix .. 'r:' .. ARGV[at] .. ';' .. arn, ARGV[at + 1], '|' .. ARGV[at + 2])
    at = at + 3
end

-- Bytes that are kept as long as the execution is.
local kept = record and #record or 0
if event_count > 0 then
    -- Nobody can ask for the history of one of type EXPRESS or of a Map Run, which has no limit either.
    if not find(arn, EXPRESS) and not find(arn, MAP_RUN) then
        kept = kept + #ARGV[at]
        -- Two elements, since Lua would hash a joined text to the last byte.
        call('RPUSH', HISTORY, base .. ';' .. clamp, ARGV[at])
    end
    at = at + 1
    set[set_count + 1], set[set_count + 2] = 'ev', format('%d', last_event)
    set_count = set_count + 2
    if latest > tonumber(clamp) then
        set[set_count + 1], set[set_count + 2] = 'at', format('%d', latest)
        set_count = set_count + 2
    end
end

local answer = base .. ';' .. clamp .. ';' .. woke .. ';' .. more
local noted = commit .. ';' .. answer
if has_joined == 1 then
    call('RPUSH', prefix .. 'c:' .. joined_scope .. ';' .. arn, base .. '|' .. completion)
    call('HSET', prefix .. 'r:' .. joined_scope .. ';' .. arn, joined_index, noted .. '|' .. output)
end
if kind == CREATION then
    -- Numbers that nothing else sets are 0.
    call('HSET', EXECUTION, 'head', record, 'status', 'RUNNING', 'c', noted, 'ev', '0', 'at', '0', 'def', definition, 'in', listed_under)
    call('HINCRBY', prefix .. 'uses', definition, 1)
    if uses == '0' then call('ZREM', prefix .. 'unused', definition) end
    call('SADD', prefix .. 'open', arn)
    call('ZADD', prefix .. 'i:' .. listed_under, started_at, arn)
    call('ZADD', prefix .. 'j:RUNNING;' .. listed_under, started_at, arn)
end
if has_end == 1 or is_whole then
    set[set_count + 1], set[set_count + 2] = 'x', noted
    set_count = set_count + 2
end
if has_end == 1 then
    local end_status, end_at, end_text = unpack(ARGV, at, at + 2)
    at = at + 3
    kept = kept + #end_text
    call('SREM', prefix .. 'open', arn)
    local under = listed_under or call('HGET', EXECUTION, 'in')
    if not under then
        -- It began before that was noted: under its state machine.
        local account, name = match(arn, '^(.*):execution:([^:]*):[^:]*$')
        under = account .. ':stateMachine:' .. name
        set[set_count + 1], set[set_count + 2] = 'in', under
        set_count = set_count + 2
    end
    call('ZREM', prefix .. 'j:RUNNING;' .. under, arn)
    local ended_at = format('%d', math.max(tonumber(end_at), latest, tonumber(clamp)))
    if find(arn, EXPRESS) then
        call('ZREM', prefix .. 'i:' .. under, arn)
        call('ZADD', prefix .. 'closed_express', ended_at, arn)
    else
        call('INCRBY', prefix .. 'ended', format('%d', (bytes or 0) + kept))
        call('ZADD', prefix .. 'i:' .. under, ended_at, arn)
        call('ZADD', prefix .. 'j:' .. end_status .. ';' .. under, ended_at, arn)
        call('ZADD', prefix .. 'closed', ended_at, arn)
    end
    for _, value in ipairs({ 'status', end_status, 'end', end_text }) do
        set_count = set_count + 1
        set[set_count] = value
    end
end
if kept > 0 then
    set[set_count + 1], set[set_count + 2] = 'bytes', format('%d', (bytes or 0) + kept)
    set_count = set_count + 2
end
for first = 1, set_count, STEP do
    call('HSET', EXECUTION, unpack(set, first, math.min(set_count, first + STEP - 1)))
end
if del then
    for first = 1, #del, STEP do
        call('HDEL', EXECUTION, unpack(del, first, math.min(#del, first + STEP - 1)))
    end
end

if wake_dropped then call('HDEL', OUTBOX, wake_dropped) end
if dropped_count > 0 then
    local last = at + dropped_count - 1
    for first = at, last, STEP do
        call('HDEL', OUTBOX, unpack(ARGV, first, math.min(last, first + STEP - 1)))
    end
    at = last + 1
end
if added_count > 0 then
    -- Each effect is followed by an empty argument, which takes its value.
    local last, entry = at + 2 * added_count - 1, format('%d', now) .. ';' .. owner
    for index = at + 1, last, 2 do ARGV[index] = entry end
    for first = at, last, STEP do
        call('HSET', OUTBOX, unpack(ARGV, first, math.min(last, first + STEP - 1)))
    end
    at = last + 1
end
if wake_added then call('HSET', OUTBOX, wake_added, format('%d', now) .. ';' .. owner) end

if timers_dropped_count > 0 then
    local last = at + timers_dropped_count - 1
    for first = at, last, STEP do
        call('ZREM', TIMERS, unpack(ARGV, first, math.min(last, first + STEP - 1)))
    end
    at = last + 1
end
if has_next == 0 and timers ~= '' then
    for name in string.gmatch(timers, '[^,]+') do call('ZREM', TIMERS, path .. ';' .. name .. ';' .. arn) end
end
if timers_set_count > 0 then
    local last = at + 2 * timers_set_count - 1
    for first = at, last, STEP do
        call('ZADD', TIMERS, unpack(ARGV, first, math.min(last, first + STEP - 1)))
    end
end

if has_end == 1 and call('HLEN', EXECUTION) > FIELDS_OF_AN_ENDED then
    call('RPUSH', prefix .. 'cleanup', 'e\n' .. arn .. '\n0')
end
return 'ok;' .. answer
