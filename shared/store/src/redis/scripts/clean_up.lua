#!lua flags=allow-oom
-- Removes a bounded batch of what is left over; gives 1 if there may be more. It only frees memory, so it runs without any.
--
-- KEYS: cleanup, closed, outbox, timers, ended (the bytes of the closed ones), uses of definitions, definitions not in use, closed
-- ones of type EXPRESS
-- ARGV: the prefix of the partition's keys, how long ended executions are kept in milliseconds, how many bytes of them or nothing,
-- how long those of type EXPRESS are kept
local call = redis.call
local CLEANUP, CLOSED, OUTBOX, TIMERS, ENDED, USES, UNUSED, EXPRESS = unpack(KEYS)
local prefix, retention, bytes_max, express_retention = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
-- Fields read at once from an ended execution; each comes with its payload.
local FIELDS = 64
local EXECUTIONS = 16
local IN_HEADER = '^[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;[^;]*;([^;]*);([^;]*);.*;([^;]*)$'

local function forget_scope(arn, scope)
    local suffix = ':' .. scope .. ';' .. arn
    call('UNLINK', prefix .. 'c' .. suffix, prefix .. 'r' .. suffix, prefix .. 'g' .. suffix)
    call('HDEL', OUTBOX, 'w;' .. scope .. ';;' .. arn)
end

local function forget_branch(arn, path, attempt, entry, timers)
    call('HDEL', OUTBOX, 'c;' .. path .. ';;' .. arn, 'd;' .. path .. ';' .. attempt .. ';' .. arn)
    if entry ~= '' then forget_scope(arn, path .. '@' .. entry) end
    for name in string.gmatch(timers, '[^,]+') do
        call('ZREM', TIMERS, path .. ';' .. name .. ';' .. arn)
    end
end

local function forget_execution(arn, cursor)
    local key = prefix .. 'e:' .. arn
    local status = call('HGET', key, 'status')
    if not status or status == 'RUNNING' then return '0' end
    local page = call('HSCAN', key, cursor, 'COUNT', FIELDS)
    local found = page[2]
    for index = 1, #found, 2 do
        local field, value = found[index], found[index + 1]
        local letter, name = string.sub(field, 1, 2), string.sub(field, 3)
        if letter == 'b:' then forget_branch(arn, name, string.match(value, IN_HEADER)) end
        if letter == 's:' then forget_scope(arn, name) end
        if letter == 'b:' or letter == 's:' or letter == 'd:' then call('HDEL', key, field) end
    end
    return page[1]
end

local element = call('LINDEX', CLEANUP, 0)
if element then
    local kind, arn, rest = string.match(element, '^(.)\n([^\n]*)\n(.*)$')
    if kind == 'b' then
        for path, attempt, entry, timers in string.gmatch(rest, '([^;\n]*);([^;\n]*);([^;\n]*);([^\n]*)') do
            forget_branch(arn, path, attempt, entry, timers)
        end
        call('LPOP', CLEANUP)
    else
        local cursor = forget_execution(arn, rest)
        if cursor == '0' then
            call('LPOP', CLEANUP)
        else
            call('LSET', CLEANUP, 0, 'e\n' .. arn .. '\n' .. cursor)
        end
    end
    return 1
end

local clock = call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local bytes = tonumber(call('GET', ENDED) or '0')

-- Removes what ended before an instant, or is over the bytes kept where some are counted, those that ended first; tells how many.
local function drop_old(closed, kept_from, counted)
    local count = 0
    -- Scores are whole milliseconds.
    local first = call('ZRANGE', closed, 0, EXECUTIONS - 1, 'WITHSCORES')
    for index = 1, #first, 2 do
        local arn, ended_at = first[index], tonumber(first[index + 1])
        if ended_at >= kept_from and not (counted and bytes_max and bytes > bytes_max) then break end
        local status, size, definition, under = unpack(call('HMGET', prefix .. 'e:' .. arn, 'status', 'bytes', 'def', 'in'))
        -- What is still to be told of an execution is read from it.
        local untold = call('HMGET', OUTBOX, 'n;RUNNING;;' .. arn, 'n;' .. (status or '') .. ';;' .. arn, 'e;;;' .. arn)
        if untold[1] or untold[2] or untold[3] then break end
        if counted and size then bytes = call('DECRBY', ENDED, size) end
        call('UNLINK', prefix .. 'e:' .. arn, prefix .. 'h:' .. arn)
        if counted and not under then
            -- It began before that was noted: under its state machine.
            local account, machine = string.match(arn, '^(.*):execution:([^:]*):[^:]*$')
            under = (account or '') .. ':stateMachine:' .. (machine or '')
        end
        if counted then
            call('ZREM', prefix .. 'i:' .. under, arn)
            if status then call('ZREM', prefix .. 'j:' .. status .. ';' .. under, arn) end
        end
        if definition and call('HINCRBY', USES, definition, -1) == 0 then call('ZADD', UNUSED, now, definition) end
        call('ZREM', closed, arn)
        count = count + 1
    end
    return count
end

local count = drop_old(CLOSED, now - retention, true)
if count > 0 and call('EXISTS', CLOSED) == 0 then call('DEL', ENDED) end
local of_express = drop_old(EXPRESS, now - express_retention, false)
return (count == EXECUTIONS or of_express == EXECUTIONS) and 1 or 0
