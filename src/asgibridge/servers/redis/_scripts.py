"""What must happen in Redis as one step.

Whatever only the owner of a partition may do looks at the lease first: its
value is the owner's name and the number of its term, which no other owner and
no other term shares.  An owner that was stopped for longer than its lease, and
does not know, is refused there, whatever it believes.
"""

from typing import Final

__all__ = (
    "ACQUIRE",
    "BEAT",
    "CLAIM",
    "COUNT",
    "DEAD",
    "DONE",
    "LEAVE",
    "LOST",
    "RELEASE",
    "RENEW",
    "SEND",
    "TAKE",
)

LOST: Final = -1
"""What a script returns to somebody who is not the owner."""

_FENCE: Final = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return -1 end
"""

BEAT: Final = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('ZADD', KEYS[1], now + ARGV[2], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now)
return redis.call('ZCARD', KEYS[1])
"""
"""Count this process as alive (KEYS: workers; ARGV: owner, milliseconds).

Returns how many there are.
"""

ACQUIRE: Final = """
local owner, ttl, wanted, count = ARGV[1], ARGV[2], tonumber(ARGV[3]), #KEYS / 3
local got = {}
for i = 1, count do
  if #got >= wanted then break end
  local lease, term, stream = KEYS[3 * i - 2], KEYS[3 * i - 1], KEYS[3 * i]
  if redis.call('EXISTS', lease) == 0 then
    local number = redis.call('INCR', term)
    redis.call('SET', lease, owner .. ':' .. number, 'PX', ttl)
    redis.pcall('XGROUP', 'CREATE', stream, ARGV[4], '0', 'MKSTREAM')
    got[#got + 1] = {i - 1, number}
  end
end
return got
"""
"""Own free partitions.

KEYS: lease, term and stream of each partition.  ARGV: owner, milliseconds, how
many, group.  Returns pairs of the place in KEYS and the term.
"""

RENEW: Final = """
local kept = {}
for i = 1, #KEYS do
  kept[i] = 0
  if redis.call('GET', KEYS[i]) == ARGV[i + 1] then
    redis.call('PEXPIRE', KEYS[i], ARGV[1])
    kept[i] = 1
  end
end
return kept
"""
"""Own partitions for longer (KEYS: leases; ARGV: milliseconds, their values).

Returns 1 for each that was kept, else 0.
"""

RELEASE: Final = """
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
redis.call('XADD', KEYS[2], 'MAXLEN', 1, '*', 'free', KEYS[1])
return 1
"""
"""Own a partition no longer, and ring the bell (KEYS: lease, bell; ARGV: value)."""

LEAVE: Final = """
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('XADD', KEYS[2], 'MAXLEN', 1, '*', 'gone', ARGV[1])
return 1
"""
"""Count this process no longer, and ring the bell (KEYS: workers, bell)."""

TAKE: Final = (
    _FENCE
    + """
local function take()
  return redis.pcall('XREADGROUP', 'GROUP', ARGV[2], ARGV[3], 'COUNT', ARGV[4],
                     'STREAMS', KEYS[2], '>')
end
local taken = take()
if taken and taken.err and string.find(taken.err, 'NOGROUP') then
  redis.call('XGROUP', 'CREATE', KEYS[2], ARGV[2], '0', 'MKSTREAM')
  taken = take()
end
if taken and taken.err then return taken end
if taken then return taken[1][2] end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[2])) do
  local name, last
  for i = 1, #group, 2 do
    if group[i] == 'name' then name = group[i + 1] end
    if group[i] == 'last-delivered-id' then last = group[i + 1] end
  end
  if name == ARGV[2] then return last end
end
"""
)
"""Take new messages (KEYS: lease, stream; ARGV: value, group, consumer, count).

Returns entries; if there are none, the id behind which the next one will be.
A group that is missing, because somebody deleted the stream or the server came
back without its data, is made again.
"""

CLAIM: Final = (
    _FENCE
    + """
local claimed = redis.pcall('XAUTOCLAIM', KEYS[2], ARGV[2], ARGV[3], 0, ARGV[4],
                            'COUNT', ARGV[5], 'JUSTID')
if claimed.err then
  if string.find(claimed.err, 'NOGROUP') then return {'0-0', {}, {}} end
  return claimed
end
local entries, counts = {}, {}
for _, id in ipairs(claimed[2]) do
  local entry = redis.call('XRANGE', KEYS[2], id, id)[1]
  if entry then
    local pending = redis.call('XPENDING', KEYS[2], ARGV[2], entry[1], entry[1], 1)
    entries[#entries + 1] = entry
    counts[#counts + 1] = pending[1] and pending[1][4] or 1
  end
end
return {claimed[1], entries, counts}
"""
)
"""Claim what was taken and not settled.

KEYS: lease, stream.  ARGV: value, group, consumer, cursor, count.  Returns the
next cursor, entries, and how often each was delivered.  This is no delivery: who
gives one to an application says so, see `COUNT`.
"""

DONE: Final = (
    _FENCE
    + """
redis.call('XACK', KEYS[2], ARGV[2], ARGV[3])
return redis.call('XDEL', KEYS[2], ARGV[3])
"""
)
"""Remove a message (KEYS: lease, stream; ARGV: value, group, id)."""

COUNT: Final = (
    _FENCE
    + """
redis.call('XCLAIM', KEYS[2], ARGV[2], ARGV[5], 0, ARGV[3],
           'RETRYCOUNT', ARGV[4], 'JUSTID')
return 1
"""
)
"""Set the count of deliveries of a message.

KEYS: lease, stream.  ARGV: value, group, id, count, consumer.
"""

DEAD: Final = (
    _FENCE
    + """
local found = redis.call('XRANGE', KEYS[2], ARGV[3], ARGV[3])
if found[1] then
  local fields = found[1][2]
  local more = {'stream', KEYS[2], 'id', ARGV[3], 'deliveries', ARGV[4],
                'reason', ARGV[5]}
  for _, value in ipairs(more) do fields[#fields + 1] = value end
  redis.call('XADD', KEYS[3], '*', unpack(fields))
end
redis.call('XACK', KEYS[2], ARGV[2], ARGV[3])
return redis.call('XDEL', KEYS[2], ARGV[3])
"""
)
"""Move a message to the dead letters.

KEYS: lease, stream, dead letters.  ARGV: value, group, id, deliveries, reason.
"""

SEND: Final = (
    _FENCE
    + """
local limit = tonumber(ARGV[2])
if limit > 0 then
  return redis.call('XADD', KEYS[2], 'MAXLEN', '~', limit, '*', unpack(ARGV, 3))
end
return redis.call('XADD', KEYS[2], '*', unpack(ARGV, 3))
"""
)
"""Add an entry to a stream (KEYS: lease, stream; ARGV: value, limit, fields).

A limit of 0 is none.
"""
