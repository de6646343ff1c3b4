#!lua
-- Makes a definition one that may be referred to. Without flags: a server that is out of memory refuses it.
--
-- KEYS: of `define` the definition, else the partition's uses, then its definitions not in use
-- ARGV: what to do, then
--   pin HASH            the partition may refer to it from now on
--   define TEXT         keeps the text, and takes back that it is to be removed
--
-- Definitions lie apart from what refers to them. What refers to one in a partition is counted there, and nothing begins to refer to it
-- unless it has a count there, be it 0. Who refers to it anew calls `pin`, then `define`; who removes it goes by the steps of
-- undefine.lua: so the removal either meets the reference, or the text is put anew.
local call = redis.call
if ARGV[1] == 'define' then
    call('HSETNX', KEYS[1], 't', ARGV[2])
    call('HDEL', KEYS[1], 'x')
elseif call('HSETNX', KEYS[1], ARGV[2], 0) == 1 then
    local clock = call('TIME')
    call('ZADD', KEYS[2], clock[1] * 1000 + math.floor(clock[2] / 1000), ARGV[2])
end
return 0
