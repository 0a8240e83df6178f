-- The rules of `_rules.py` and its neighbours for Redis, in one atomic round trip; tests hold the
-- two to each other, number by number. Whole numbers only: a double holds them exactly.
--
-- FIELDS and NUMBERS, the names in a report and in the state, are written before this by the store.
-- KEYS: state, members, leases, three queues, spent, fuses, news.
-- ARGV: prefix of the members' mailboxes, member, clock (empty for the server's), milliseconds that
-- the keys live without contact, then the report in the order of FIELDS.
local STATE, MEMBERS, LEASES, SPENT, FUSES, NEWS =
  KEYS[1], KEYS[2], KEYS[3], KEYS[7], KEYS[8], KEYS[9]
local QUEUES = {KEYS[4], KEYS[5], KEYS[6]}
local call, floor, max, min = redis.call, math.floor, math.max, math.min
local prefix, me, wall, life = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local MOST_BURIED, MOST_TURNS, PARTS, SCARCE, AWAY = 100, 64, 60, 5000000, 2000000

local TEXTS = {egress = true, fuse_do = true, fuse_scope = true, fuse_error = true}
local report = {}
for i, name in ipairs(FIELDS) do
  local given = ARGV[4 + i]
  report[name] = TEXTS[name] and given or tonumber(given)
end
local POOLS = {'slots', 'submits', 'requests'}
local TERMS = {'in_flight', 'submits', 'submits_window', 'requests', 'requests_window', 'cap',
  'per', 'lease', 'settle'}
local ENTRY = {'expires', 'joined', 'life', 'gone', 'issued', 'successes', 'spent', 'lent',
  'returned'}
local HOLD = {'want', 'booked', 'used', 'most', 'last', 'right'}

local function pack(numbers)
  local texts = {}
  for i, number in ipairs(numbers) do texts[i] = string.format('%.0f', number) end
  return table.concat(texts, ' ')
end
local function unpacked(text)
  local numbers = {}
  for word in string.gmatch(text, '%S+') do numbers[#numbers + 1] = tonumber(word) end
  return numbers
end

-- What is kept ------------------------------------------------------------------------------------

local state, terms, pools = {}, {}, {{}, {}, {}}
local kept = unpacked(call('GET', STATE) or '')
do
  local at = 0
  local function next_number() at = at + 1; return kept[at] or 0 end
  for _, name in ipairs(NUMBERS) do state[name] = next_number() end
  for _, name in ipairs(TERMS) do terms[name] = next_number() end
  for _, pool in ipairs(pools) do
    pool.total, pool.used, pool.sated, pool.thirsty =
      next_number(), next_number(), next_number(), next_number()
  end
end

local entries, changed, removed = {}, {}, {}
local function load_entry(name)
  if entries[name] or removed[name] then return entries[name] end
  local text = call('HGET', MEMBERS, name)
  if not text then return nil end
  local numbers, entry = unpacked(text), {{}, {}, {}}
  for i, field in ipairs(ENTRY) do entry[field] = numbers[i] end
  for i, hold in ipairs(entry) do
    for j, field in ipairs(HOLD) do hold[field] = numbers[#ENTRY + (i - 1) * #HOLD + j] end
  end
  entries[name] = entry
  return entry
end
local function new_entry()
  local entry = {{}, {}, {}}
  for _, field in ipairs(ENTRY) do entry[field] = 0 end
  for _, hold in ipairs(entry) do
    for _, field in ipairs(HOLD) do hold[field] = 0 end
  end
  return entry
end
local function keep_entry(name, entry)
  entries[name], changed[name], removed[name] = entry, true, nil
end
local function remove_entry(name)
  entries[name], changed[name], removed[name] = nil, nil, true
end

local spent = nil
local function parts()
  if not spent then
    spent = {}
    local flat = call('HGETALL', SPENT)
    for i = 1, #flat, 2 do spent[flat[i]] = tonumber(flat[i + 1]) end
  end
  return spent
end
local function spent_within()
  local sum = 0
  for _, amount in pairs(parts()) do sum = sum + amount end
  return sum
end

local function mail(to, text)
  if to == '*' then
    call('XADD', NEWS, 'MAXLEN', '~', 1000, '*', 'm', text)
  else
    call('XADD', prefix .. to, 'MAXLEN', '~', 10000, '*', 'm', text)
    call('PEXPIRE', prefix .. to, life)
  end
end

-- Pools -------------------------------------------------------------------------------------------

local function capacity_of(index)
  if index == 1 then return floor(state.limit / 1000) end
  return terms[POOLS[index]]
end
local function uncount(pool, hold)
  if hold.booked >= hold.want then pool.sated = pool.sated - hold.want
  else pool.thirsty = pool.thirsty - 1 end
end
local function count(pool, hold)
  if hold.booked >= hold.want then pool.sated = pool.sated + hold.want
  else pool.thirsty = pool.thirsty + 1 end
end
local function book(pool, hold, booked)
  pool.total = pool.total + booked - hold.booked
  hold.booked = booked
end
local function drop(pool, hold)
  pool.total, pool.used = pool.total - hold.booked, pool.used - hold.used
  for _, field in ipairs(HOLD) do hold[field] = 0 end
end
local function forget(entry)
  for index, hold in ipairs(entry) do uncount(pools[index], hold); drop(pools[index], hold) end
end
local function enqueue(index, name)
  state.turn = state.turn + 1
  call('ZADD', QUEUES[index], 'NX', state.turn, name)
end

local function leave_pools(name, entry, slots_kept)
  for index, hold in ipairs(entry) do
    local pool = pools[index]
    uncount(pool, hold)
    call('ZREM', QUEUES[index], name)
    local stays = 0
    if slots_kept then stays = hold.used elseif index > 1 then stays = hold.booked end
    pool.used = pool.used + stays - hold.used
    book(pool, hold, stays)
    hold.used, hold.want = stays, 0
    count(pool, hold)
  end
end

local function hand_out(index)
  if state.now < state.grace then return 0 end
  local pool, capacity, mine, turns = pools[index], capacity_of(index), 0, 0
  while pool.total < capacity and turns < MOST_TURNS do
    local name = call('ZRANGE', QUEUES[index], 0, 0)[1]
    if not name then break end
    turns = turns + 1
    local entry = load_entry(name)
    local hold = entry[index]
    local level = floor(max(0, capacity - pool.sated) / max(1, pool.thirsty))
    local give = min(capacity - pool.total, hold.want - hold.booked, max(1, level - hold.booked))
    if give > 0 then
      uncount(pool, hold); book(pool, hold, hold.booked + give); count(pool, hold)
      hold.last = hold.booked
      hold.most, hold.right = max(hold.most, hold.last), max(hold.right, hold.last)
      if name == me then
        mine = hold.booked
      else
        entry.issued = state.version
        mail(name, 'share ' .. pack({state.version, index - 1, hold.booked}))
      end
      keep_entry(name, entry)
    end
    call('ZREM', QUEUES[index], name)
    if hold.booked < min(hold.want, max(level, 1)) then enqueue(index, name) end
  end
  return mine
end

local function target_of(index, hold, right, capacity, level, others)
  local pool, pool_name = pools[index], POOLS[index]
  local firm, used = report[pool_name .. '_firm'], report[pool_name .. '_used']
  if state.now < state.grace then return min(firm, right) end
  local room = capacity - (pool.total - hold.booked)
  local most = room
  if room < right then most = max(room, min(level, right)) end
  local target = max(0, min(firm, most))
  if others then return min(target, level, max(right, used)) end
  if pool.thirsty > 0 then return min(target, level + 1) end
  if target == firm and room > target then
    target = target + min(report[pool_name .. '_spare'], floor((room - target) / 2))
  end
  return target
end

local function share(index, entry, forgot)
  local pool, hold, pool_name, queue = pools[index], entry[index], POOLS[index], QUEUES[index]
  local capacity = capacity_of(index)
  if capacity == 0 then
    uncount(pool, hold); drop(pool, hold)
    call('ZREM', queue, me)
    count(pool, hold)
    return -1
  end
  local used, firm = report[pool_name .. '_used'], report[pool_name .. '_firm']
  local had, acked = max(0, report[pool_name .. '_had']), report.version >= entry.issued
  local bound = acked and had or max(had, hold.most)
  local right = acked and hold.last or hold.right
  if forgot then right = had end
  local waiting = call('ZCARD', queue)
  local queued = call('ZSCORE', queue, me)
  local others = waiting - (queued and 1 or 0) > 0
  uncount(pool, hold)
  local level = floor(max(0, capacity - pool.sated) / (pool.thirsty + 1))
  local fair = acked and level or max(level, right)
  local target = target_of(index, hold, right, capacity, fair, others)
  hold.most, hold.last, hold.right = max(target, bound), target, max(target, right)
  hold.want = firm
  pool.used = pool.used + used - hold.used
  hold.used = used
  book(pool, hold, max(used, target, bound))
  count(pool, hold)
  if target < firm and max(target, used) < max(level, 1) then
    if waiting == 0 then mail('*', 'hungry ' .. pack({index - 1, level})) end
    if not queued then enqueue(index, me) end
  elseif queued then
    call('ZREM', queue, me)
  end
  local handed = hand_out(index)
  return handed > 0 and handed or target
end

local function adapt(entry, forgot)
  if forgot and report.capacity > 0 then state.limit = min(state.limit, report.capacity * 1000) end
  local solved = report.successes - entry.successes
  entry.successes = report.successes
  local most = terms.in_flight * 1000
  if report.refused >= 0 then
    if report.refused == state.epoch then
      state.epoch = state.epoch + 1
      local crowd = (pools[1].used - entry[1].used + report.crowd) * 1000
      if crowd >= state.limit then crowd = floor(state.limit * 9 / 10) end
      state.limit = max(1000, crowd)
    end
  elseif solved > 0 and state.limit < most then
    local step = max(1000, floor(state.limit / 20))
    state.limit = min(most, state.limit + floor(solved * step * 1000 / state.limit))
  end
end

-- Money -------------------------------------------------------------------------------------------

local function outstanding(entry) return max(0, entry.lent - entry.spent - entry.returned) end
local function spend(amount)
  if amount > 0 then
    local start = string.format('%.0f', floor(state.now / state.width) * state.width)
    parts()[start] = (parts()[start] or 0) + amount
    call('HINCRBY', SPENT, start, string.format('%.0f', amount))
  end
end
local function turn_over()
  local width = max(1, floor(terms.per / PARTS))
  if width ~= state.width then
    local sum = spent_within()
    state.width, spent = width, {}
    call('DEL', SPENT)
    spend(sum)
  end
  for start in pairs(parts()) do
    if tonumber(start) + width + terms.per <= state.now then
      spent[start] = nil
      call('HDEL', SPENT, start)
    end
  end
end
local function bury_money(entry)
  turn_over()
  local amount = outstanding(entry)
  state.lent = state.lent - amount
  spend(amount)
  entry.lent, entry.spent, entry.returned = 0, 0, 0
end
local function settle_money(entry, forgot)
  turn_over()
  if forgot then spend(report.known - spent_within()) end
  local before = outstanding(entry)
  spend(report.spent - entry.spent)
  entry.spent = max(entry.spent, report.spent)
  entry.lent = max(entry.lent, report.lent)
  entry.returned = max(entry.returned, report.returned)
  state.lent = state.lent + outstanding(entry) - before
  if terms.cap == 0 or report.money <= 0 or state.now < state.grace then return end
  local rest = terms.cap - spent_within() - state.lent
  if rest < max(1, report.least) then
    state.scarce = state.now + SCARCE
    return
  end
  before = outstanding(entry)
  entry.lent = entry.lent + max(report.least, min(report.money, floor(rest / (2 * state.live))))
  state.lent = state.lent + outstanding(entry) - before
end

-- Fuse --------------------------------------------------------------------------------------------

local function load_fuse(scope)
  local number, till, probe_until, prober, text =
    string.match(call('HGET', FUSES, scope) or '0 0 0 - ', '^(%S+) (%S+) (%S+) (%S+) (.*)$')
  return {number = tonumber(number), till = tonumber(till), probe_until = tonumber(probe_until),
    prober = prober, text = text}
end
local function keep_fuse(scope, fuse)
  call('HSET', FUSES, scope, pack({fuse.number, fuse.till, fuse.probe_until}) .. ' ' ..
    fuse.prober .. ' ' .. fuse.text)
end
local function tell_fuse(scope, fuse)
  fuse.number = state.version
  local span = max(0, fuse.till - state.now)
  mail('*', 'fuse ' .. pack({fuse.number, span}) .. ' ' .. (scope == '' and '-' or scope) .. ' ' ..
    fuse.text)
  keep_fuse(scope, fuse)
end
local function settle_fuse()
  local what, scope, span = report.fuse_do, report.fuse_scope, report.fuse_span
  if what == '' then return 0 end
  local fuse = load_fuse(scope)
  if what == 'blow' then
    fuse.till = max(state.now + span, fuse.text ~= '' and fuse.till or 0)
    fuse.text, fuse.prober = report.fuse_error, '-'
    tell_fuse(scope, fuse)
  elseif what == 'tell' then
    if report.fuse_number > fuse.number then
      fuse.number, fuse.text = report.fuse_number, report.fuse_error
      fuse.till, fuse.prober = state.now + span, '-'
      keep_fuse(scope, fuse)
    end
  elseif what == 'close' then
    if fuse.text ~= '' and (report.fuse_number == -1 or report.fuse_number == fuse.number) then
      fuse.text, fuse.till, fuse.prober = '', 0, '-'
      tell_fuse(scope, fuse)
    end
  elseif what == 'probe' then
    if fuse.text == '' then return -1 end
    local taken = fuse.prober ~= '-' and fuse.prober ~= me and state.now < fuse.probe_until
    if state.now < fuse.till or taken then return 0 end
    fuse.prober, fuse.probe_until = me, state.now + span
    keep_fuse(scope, fuse)
    return 1
  end
  return 0
end

-- Members -----------------------------------------------------------------------------------------

local function keep_or_drop(name, entry)
  local spans, longest = {terms.lease, terms.submits_window, terms.requests_window}, 0
  for index, hold in ipairs(entry) do
    if hold.booked > 0 then longest = max(longest, spans[index]) end
  end
  if longest == 0 then
    remove_entry(name)
  else
    entry.gone, entry.expires = 1, state.now + longest
    keep_entry(name, entry)
  end
end
local function bury()
  if state.now < state.grace then return end
  local edge = '(' .. string.format('%.0f', state.now)
  for _, name in ipairs(call('ZRANGEBYSCORE', LEASES, '-inf', edge, 'LIMIT', 0, MOST_BURIED)) do
    if name ~= me then
      local entry = load_entry(name)
      if entry.gone == 0 then
        bury_money(entry)
        state.live = state.live - 1
        leave_pools(name, entry, false)
        keep_or_drop(name, entry)
      else
        forget(entry)
        remove_entry(name)
      end
    end
  end
end
local function lost_memory(before)
  if state.born == 0 then
    state.born = state.version
    state.grace = state.now + report.settle
  end
  local entry = load_entry(me)
  local strange = report.born ~= 0 and report.born ~= state.born and
    (not entry or entry.life ~= state.born)
  if report.version > before then
    state.version = max(state.version, report.version + 1)
    state.born = state.version
  elseif not strange then
    return false
  end
  state.grace = max(state.grace, state.now + report.lease)
  return true
end
local function admit()
  local entry = load_entry(me)
  if not entry or entry.gone == 1 then
    if entry then forget(entry) end
    entry = new_entry()
    entry.successes, entry.spent = report.successes, report.acknowledged
    state.live = state.live + 1
  end
  keep_entry(me, entry)
  entry.life = state.born
  entry.joined = report.joined ~= 0 and report.joined or state.version
  if entry.joined >= state.terms_by then
    state.terms_by = entry.joined
    if state.limit == 0 or state.limit >= terms.in_flight * 1000 then
      state.limit = report.in_flight * 1000
    end
    for _, name in ipairs(TERMS) do terms[name] = report[name] end
    state.limit = min(state.limit, terms.in_flight * 1000)
  end
  entry.expires = state.now + terms.lease
  return entry
end

-- The exchange ------------------------------------------------------------------------------------

if not wall then
  local time = call('TIME')
  wall = time[1] * 1000000 + time[2]
end
local before = state.version
local passed = state.wall ~= 0 and max(0, wall - state.wall) or 0
state.now = state.wall ~= 0 and state.now + passed or wall
state.wall = wall
state.version = max(state.version + 1, state.now)
do
  local mine = load_entry(me)
  local others = state.live - (mine and mine.gone == 0 and 1 or 0)
  if others > 0 and passed > floor(terms.lease / 2) then
    state.grace = max(state.grace, state.now + min(AWAY, terms.lease))
  end
end
local forgot = lost_memory(before)
bury()
local entry = admit()
adapt(entry, forgot)
local shares = {share(1, entry, forgot), share(2, entry, forgot), share(3, entry, forgot)}
entry.issued = state.version
settle_money(entry, forgot)
if state.now + report.pause > max(state.pause, state.now) then
  state.pause = state.now + report.pause
  mail('*', 'pause ' .. pack({report.pause}))
end
local probe = settle_fuse()
local hungry = {}
for index, queue in ipairs(QUEUES) do
  local mine = call('ZSCORE', queue, me) and 1 or 0
  hungry[index] = call('ZCARD', queue) - mine > 0 and 1 or 0
end
local fuse, egress = load_fuse(''), {number = 0, till = 0, text = ''}
if report.egress ~= '' then egress = load_fuse(report.egress) end
local grant = {
  state.now, state.version, state.born, entry.joined, state.live,
  shares[1], shares[2], shares[3], hungry[1], hungry[2], hungry[3],
  terms.submits_window, terms.requests_window, terms.lease, floor(state.limit / 1000), state.epoch,
  state.now < state.grace and 1 or 0, max(0, state.pause - state.now),
  terms.cap, spent_within(), entry.spent, entry.lent, state.now < state.scarce and 1 or 0, probe,
  fuse.number, max(0, fuse.till - state.now), fuse.text,
  egress.number, max(0, egress.till - state.now), egress.text,
}
if report.leaving == 1 then
  bury_money(entry)
  state.live = state.live - 1
  leave_pools(me, entry, true)
  keep_or_drop(me, entry)
  for index = 1, 3 do hand_out(index) end
end

for name in pairs(removed) do
  call('HDEL', MEMBERS, name)
  call('ZREM', LEASES, name)
end
for name in pairs(changed) do
  local changed_entry, numbers = entries[name], {}
  for i, field in ipairs(ENTRY) do numbers[i] = changed_entry[field] end
  for _, hold in ipairs(changed_entry) do
    for _, field in ipairs(HOLD) do numbers[#numbers + 1] = hold[field] end
  end
  call('HSET', MEMBERS, name, pack(numbers))
  call('ZADD', LEASES, string.format('%.0f', changed_entry.expires), name)
end
local numbers = {}
for _, name in ipairs(NUMBERS) do numbers[#numbers + 1] = state[name] end
for _, name in ipairs(TERMS) do numbers[#numbers + 1] = terms[name] end
for _, pool in ipairs(pools) do
  for _, name in ipairs({'total', 'used', 'sated', 'thirsty'}) do
    numbers[#numbers + 1] = pool[name]
  end
end
call('SET', STATE, pack(numbers))
for _, key in ipairs(KEYS) do call('PEXPIRE', key, life) end
return grant
