-- Every transition of one breaker, each in one atomic step.
-- KEYS: hash of the state, hash of the replicas' rows, sorted set of probe tickets by lease expiry.
-- ARGV: operation, channel, arguments as JSON. Returns the snapshot as JSON; all times are
-- milliseconds, and what leaves here are differences, never times of a clock.
local hash, rows, tickets = KEYS[1], KEYS[2], KEYS[3]
local op, channel = ARGV[1], ARGV[2]
local args = cjson.decode(ARGV[3])

local HEARD = 100 -- a row is an answer to a question of now if it is not older
local BUSY = 2000 -- who makes calls posts at least so often

local now = args.clock
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end

local c = {}
local stored = redis.call('HGETALL', hash)
for i = 1, #stored, 2 do c[stored[i]] = stored[i + 1] end
local known = #stored > 0
c.state = c.state or 'closed'
c.reason = c.reason or ''
for _, field in ipairs({'epoch', 'revision', 'due', 'opens', 'ok', 'fence'}) do
  c[field] = tonumber(c[field]) or 0
end
c.since = tonumber(c.since) or now

-- A clock that was set back must not make an open time or a lease longer.
if c.due > now + args.longest then
  c.due = now + args.longest
  redis.call('HSET', hash, 'due', string.format('%.0f', c.due))
end
redis.call('ZREMRANGEBYSCORE', tickets, '-inf', now)
redis.call('ZREMRANGEBYSCORE', tickets, now + 2 * args.lease, '+inf')

local function whole(number) return string.format('%.0f', number) end

local function snapshot(extra)
  local s = {
    state = c.state, epoch = c.epoch, revision = c.revision, opens = c.opens, reason = c.reason,
    wait = math.max(0, c.due - now), age = math.max(0, now - c.since), free = 0, lease = 0,
  }
  if c.state == 'half_open' then
    s.free = math.max(0, args.probes - c.ok - redis.call('ZCARD', tickets))
    local first = redis.call('ZRANGE', tickets, 0, 0, 'WITHSCORES')
    if first[2] then s.lease = math.max(1, first[2] - now) end
  end
  for name, value in pairs(extra or {}) do s[name] = value end
  return cjson.encode(s)
end

local function keep()
  redis.call('HSET', hash, 'state', c.state, 'epoch', whole(c.epoch), 'revision',
    whole(c.revision), 'due', whole(c.due), 'opens', whole(c.opens), 'ok', whole(c.ok),
    'fence', whole(c.fence), 'since', whole(c.since), 'reason', c.reason)
end

local function save()
  c.revision = c.revision + 1
  keep()
  redis.call('PUBLISH', channel, snapshot())
end

local function become(state, reason)
  c.state, c.reason, c.epoch, c.ok, c.since = state, reason, c.epoch + 1, 0, now
  redis.call('DEL', tickets)
end

local function open(reason)
  c.opens = c.opens + 1
  become('open', reason)
  local grown = args.open * args.growth ^ math.min(c.opens - 1, 64)
  c.due = now + math.floor(math.min(grown, args.longest) * args.jitter)
end

-- A replica that knows a later epoch has seen what this store lost.
local function reseed(seed)
  if seed.epoch <= c.epoch then return end
  c.epoch, c.revision, c.state = seed.epoch, seed.revision, seed.state
  c.reason, c.opens = seed.reason, seed.opens
  c.due, c.since, c.ok = now + seed.wait, now - seed.age, 0
  redis.call('DEL', tickets)
  if c.state == 'half_open' then become('open', c.reason) end
  save()
end

local function post(row)
  redis.call('HSET', rows, args.replica, table.concat({
    whole(row.epoch), whole(row.calls), whole(row.failures), whole(row.slow), whole(row.vote),
    whole(now), whole(row.running)}, ' '))
  redis.call('PEXPIRE', rows, 10 * args.active)
  if row.vote == 1 and row.reason ~= c.why then
    c.why = row.reason
    redis.call('HSET', hash, 'why', c.why)
  end
end

local function read(text)
  local part = {}
  for number in string.gmatch(text, '%S+') do part[#part + 1] = tonumber(number) or 0 end
  return {epoch = part[1], calls = part[2], failures = part[3], slow = part[4], vote = part[5],
    seen = part[6], running = part[7] or 0}
end

local function is_sick(row)
  if row.vote == 1 then return true end
  return row.calls > 0 and (row.failures / row.calls >= args.failure_rate
    or row.slow / row.calls >= args.slow_rate)
end

-- Opens if more than the quorum of the replicas that make calls finds the dependency sick: on a new
-- vote, or if two or more have seen enough calls between them. A replica that is alone with its
-- finding does not get its way later, when the others have nothing to do. Nor does it because
-- they have not said anything yet: who was not heard of just now is asked, and the voter posts
-- once more with what they answered.
local function judge(row)
  local active, sick, calls, unheard = 0, 0, 0, 0
  local all = redis.call('HGETALL', rows)
  for i = 1, #all, 2 do
    local other = read(all[i + 1])
    local age = now - (other.seen or -math.huge)
    if age > 10 * args.active then
      redis.call('HDEL', rows, all[i])
    elseif age <= args.active then
      local heard = other.epoch == c.epoch and age <= HEARD
      local calling = other.calls > 0 or other.running > 0 or other.vote == 1
      if not (heard and calling) then unheard = unheard + 1 end
      if calling and (heard or age <= BUSY) then
        active = active + 1
        if other.epoch == c.epoch and is_sick(other) then
          sick = sick + 1
          calls = calls + other.calls
        end
      end
    end
  end
  if row.edge and unheard > 0 and not row.final then
    redis.call('PUBLISH', channel, cjson.encode({hello = args.replica}))
    return true
  end
  if sick > active * args.quorum and (row.edge or (sick > 1 and calls >= args.min_calls)) then
    open(string.format('%d of %d replicas: %s', sick, active, c.why or 'their calls fail'))
    save()
  end
end

-- A ticket whose reply was lost has no holder; without this all would wait for its lease to end.
local function take_back(nonce)
  for _, ticket in ipairs(redis.call('ZRANGE', tickets, 0, -1)) do
    if string.sub(ticket, -#nonce - 1) == '-' .. nonce then
      redis.call('ZREM', tickets, ticket)
      save()
    end
  end
end

local reply = {}
if args.seed then reseed(args.seed) end
for _, nonce in ipairs(args.lost or {}) do take_back(nonce) end

if op == 'post' then
  -- Whoever remembers more than this empty store is asked to say so.
  if not known and c.epoch == 0 then
    keep()
    redis.call('PUBLISH', channel, cjson.encode({hello = args.replica}))
    reply.empty = true
  end
  post(args.row)
  if c.state == 'closed' and args.row.epoch == c.epoch then reply.asked = judge(args.row) end
elseif op == 'acquire' then
  if c.state == 'open' and now >= c.due then
    become('half_open', 'the open time is over')
  end
  if c.state == 'half_open' and redis.call('ZCARD', tickets) + c.ok < args.probes then
    -- The caller's part keeps a store that lost its data from giving a ticket twice.
    c.fence = c.fence + 1
    reply.ticket = whole(c.epoch) .. '-' .. whole(c.fence) .. '-' .. args.nonce
    redis.call('ZADD', tickets, now + args.lease, reply.ticket)
    save()
  end
elseif op == 'renew' then
  reply.held = redis.call('ZSCORE', tickets, args.ticket) and true or false
  if reply.held then redis.call('ZADD', tickets, now + args.lease, args.ticket) end
elseif op == 'release' then
  reply.held = redis.call('ZREM', tickets, args.ticket) == 1
  if reply.held then
    if args.result == 'failed' then
      open(args.reason)
    elseif args.result == 'succeeded' then
      c.ok = c.ok + 1
      if c.ok >= args.probes then
        become('closed', args.reason)
        c.opens, c.due = 0, 0
      end
    end
    save()
  end
elseif op == 'set' then
  become(args.state, args.reason)
  c.opens, c.due = 0, 0
  if args.clear then redis.call('DEL', rows) end
  save()
end

return snapshot(reply)
