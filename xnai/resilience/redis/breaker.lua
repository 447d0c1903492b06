-- Every transition of one breaker, each in one atomic step.
-- KEYS: hash of the state, hash of the replicas' rows, sorted set of probe tickets by lease expiry.
-- ARGV: operation, channel, arguments as JSON. Returns the snapshot as JSON; all times are
-- milliseconds, and what leaves here are differences, never times of a clock.
local hash, rows, tickets = KEYS[1], KEYS[2], KEYS[3]
local op, channel = ARGV[1], ARGV[2]
local args = cjson.decode(ARGV[3])

local HEARD = 100 -- a row is an answer to a question of now if it is not older
local BUSY = 2000 -- who makes calls posts at least so often
local ASKED = 300 -- a question that is older is not waited for any more

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
for _, field in ipairs({'epoch', 'revision', 'due', 'opens', 'ok', 'fence', 'commanded'}) do
  c[field] = tonumber(c[field]) or 0
end
c.since = tonumber(c.since) or now

local function whole(number) return string.format('%.0f', number) end

local function numbers(text)
  local part = {}
  for number in string.gmatch(text or '', '%S+') do part[#part + 1] = tonumber(number) or 0 end
  return part
end

-- A number that was written in an earlier epoch is none of this one's: versions of this script that
-- do not know the field leave it lying.
local function of_epoch(field)
  local part = numbers(c[field])
  if part[1] == c.epoch then return part[2] end
end

local function with_epoch(number) return whole(c.epoch) .. ' ' .. whole(number) end

c.need = of_epoch('round') or args.probes -- of the probes of a round, whoever takes them
c.length = of_epoch('length') or args.longest -- of this open time
c.question = of_epoch('question') -- when it was asked who else is sick

-- A clock that was set back must not make an open time, a lease or a round longer, nor yesterday's
-- command or answer one of tomorrow.
local function not_after(field, latest)
  if c[field] > latest then
    c[field] = latest
    redis.call('HSET', hash, field, whole(latest))
  end
end
not_after('due', now + c.length)
not_after('since', now)
not_after('commanded', now)
if c.question and (c.question > now or now - c.question > ASKED) then c.question = nil end
redis.call('ZREMRANGEBYSCORE', tickets, '-inf', now)
redis.call('ZREMRANGEBYSCORE', tickets, now + 2 * args.lease, '+inf')

local function snapshot(extra)
  local s = {
    state = c.state, epoch = c.epoch, revision = c.revision, opens = c.opens, reason = c.reason,
    wait = math.max(0, c.due - now), age = math.max(0, now - c.since), free = 0, lease = 0,
    commanded = c.commanded > 0 and now - c.commanded or -1,
  }
  if c.state == 'half_open' then
    s.free = math.max(0, c.need - c.ok - redis.call('ZCARD', tickets))
    local first = redis.call('ZRANGE', tickets, 0, 0, 'WITHSCORES')
    if first[2] then s.lease = math.max(1, first[2] - now) end
  end
  for name, value in pairs(extra or {}) do s[name] = value end
  return cjson.encode(s)
end

local function keep()
  redis.call('HSET', hash, 'state', c.state, 'epoch', whole(c.epoch), 'revision',
    whole(c.revision), 'due', whole(c.due), 'opens', whole(c.opens), 'ok', whole(c.ok),
    'fence', whole(c.fence), 'since', whole(c.since), 'reason', c.reason, 'commanded',
    whole(c.commanded), 'round', with_epoch(c.need), 'length', with_epoch(c.length))
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
  c.length = math.floor(math.min(grown, args.longest) * args.jitter)
  c.due = now + c.length
end

local function close(reason)
  become('closed', reason)
  c.opens, c.due = 0, 0
end

local function begin_round(reason)
  become('half_open', reason)
  c.need = args.probes
end

-- A replica that knows a later epoch has seen what this store lost. One that was cut off while an
-- operator spoke has gone on by itself: what was said holds, and comes after all it knows.
local function reseed(seed)
  if seed.epoch <= c.epoch then return end
  local age = seed.commanded or -1
  local heard = age >= 0 and now - age or 0
  if c.commanded > heard then
    c.epoch, c.revision = seed.epoch + 1, math.max(c.revision, seed.revision)
    save()
    return
  end
  c.epoch, c.revision, c.state = seed.epoch, seed.revision, seed.state
  c.reason, c.opens, c.commanded = seed.reason, seed.opens, heard
  c.due, c.since, c.ok = now + seed.wait, now - seed.age, 0
  c.length = seed.wait
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
  local part = numbers(text)
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
-- they have not said anything yet: who was not heard of just now is asked. The last one's answer
-- decides; where one does not answer, the voter posts once more.
local function judge(row)
  local active, sick, calls, unheard, silent = 0, 0, 0, 0, 0
  local all = redis.call('HGETALL', rows)
  for i = 1, #all, 2 do
    local other = read(all[i + 1])
    local age = now - (other.seen or -math.huge)
    if age < 0 or age > 10 * args.active then
      redis.call('HDEL', rows, all[i])
    elseif age <= args.active then
      if c.question and other.seen < c.question then silent = silent + 1 end
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
    redis.call('HSET', hash, 'question', with_epoch(now))
    redis.call('PUBLISH', channel, cjson.encode({hello = args.replica}))
    return true
  end
  local decides = row.edge or (c.question and silent == 0)
  if sick > active * args.quorum and (decides or (sick > 1 and calls >= args.min_calls)) then
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
local commanded = c.commanded -- by another operator than the one whose words a seed may bring
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
    begin_round('the open time is over')
  elseif c.state == 'half_open' and now - c.since >= args.half_open then
    begin_round('nothing came of the last probes')
  end
  if c.state == 'half_open' and c.ok >= c.need then -- replicas were of different minds
    close('the probes succeeded')
    save()
  elseif c.state == 'half_open' then
    local given = {}
    for _ = 1, math.min(args.want or 1, c.need - c.ok - redis.call('ZCARD', tickets)) do
      -- The caller's part keeps a store that lost its data from giving a ticket twice.
      c.fence = c.fence + 1
      given[#given + 1] = whole(c.epoch) .. '-' .. whole(c.fence) .. '-' .. args.nonce
    end
    for _, ticket in ipairs(given) do redis.call('ZADD', tickets, now + args.lease, ticket) end
    if #given > 0 then
      reply.tickets = given
      save()
    end
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
      if c.ok >= c.need then close(args.reason) end
    end
    save()
  end
elseif op == 'set' and commanded <= now - (args.age or 0) then
  become(args.state, args.reason)
  c.opens, c.due, c.commanded = 0, 0, now - (args.age or 0)
  if args.clear then redis.call('DEL', rows) end
  save()
end

return snapshot(reply)
