"""The scripts by which the store in Redis does each of its calls in one atomic round trip."""

from __future__ import annotations

from collections.abc import Callable
from importlib import resources

from ._messages import REPORT_FIELDS
from ._redis_state import NUMBERS
from ._store import TAG

__all__ = ["SCRIPTS", "exchange_script"]

SWEEP = 32
"""One call in so many looks whether some records are gone."""

_HEADER = "local FIELDS, NUMBERS = {%s}, {%s}\n"

# KEYS: the numbers, tokens by the ends of their lives, and for each callback mailbox and record.
# ARGV: the life of a callback and of the numbers; for each the token and the body.
_POST = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
for i = 3, #KEYS, 2 do
  local token, body = ARGV[i], ARGV[i + 1]
  redis.call('XADD', KEYS[i], 'MAXLEN', '~', 10000, '*', 'm', 'post ' .. token)
  redis.call('PEXPIRE', KEYS[i], ARGV[1])
  redis.call('SET', KEYS[i + 1], body, 'PX', ARGV[1])
  redis.call('ZADD', KEYS[2], string.format('%.0f', now + ARGV[1]), token)
  redis.call('HINCRBY', KEYS[1], 'handed_over', 1)
end
for _, token in ipairs(redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', now, 'LIMIT', 0, 1000)) do
  redis.call('ZREM', KEYS[2], token)
end
redis.call('PEXPIRE', KEYS[2], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
"""

# KEYS: tokens by the ends of their lives, and the records. ARGV: the tokens.
_UNPOST = """
for i = 2, #KEYS do
  redis.call('DEL', KEYS[i])
  redis.call('ZREM', KEYS[1], ARGV[i - 1])
end
"""

_POSTS = """
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local kept = redis.call('ZRANGEBYSCORE', KEYS[2], '(' .. string.format('%.0f', now), '+inf')
return {tonumber(redis.call('HGET', KEYS[1], 'handed_over') or 0), #kept}
"""

# KEYS: the hash of owners, the state, the records. ARGV: the hash's life; for each record its name,
# value (empty to remove it), tag, expected tag, milliseconds and owner; then what is known of the
# store's life, 0 to write in any, and what the records' keys begin with. What was in the way of
# each; nothing where that life does not go on, see `Life`. Now and then some owners of records that
# are gone are dropped.
_CHANGE = """
local out = {}
local born, version = tonumber(ARGV[#ARGV - 2]), tonumber(ARGV[#ARGV - 1])
if born ~= 0 then
  local state = {}
  for word in string.gmatch(redis.call('GET', KEYS[2]) or '', '%S+') do
    state[#state + 1] = tonumber(word)
  end
  local time = redis.call('TIME')
  local passed = math.max(0, time[1] * 1000000 + time[2] - (state[{wall}] or 0))
  if state[{born}] ~= born or state[{version}] < version or
      state[{now}] + passed < state[{grace}] then
    return false
  end
end
if redis.call('TIME')[2] % %d == 0 then
  local cursor = redis.call('HGET', KEYS[1], '') or '0'
  local page = redis.call('HSCAN', KEYS[1], cursor, 'COUNT', 20)
  for i = 1, #page[2], 2 do
    local name = page[2][i]
    if name ~= '' and not redis.call('GET', ARGV[#ARGV] .. name) then
      redis.call('HDEL', KEYS[1], name)
    end
  end
  redis.call('HSET', KEYS[1], '', page[1])
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
end
for i = 3, #KEYS do
  local at = 6 * (i - 3) + 1
  local name, value, tag, expected = ARGV[at + 1], ARGV[at + 2], ARGV[at + 3], ARGV[at + 4]
  local known = redis.call('GET', KEYS[i]) or ''
  local old = string.sub(known, 1, %d)
  if known ~= '' and old ~= tag and old ~= expected then
    out[i - 2] = known
  else
    out[i - 2] = ''
    if value == '' then redis.call('DEL', KEYS[i])
    else redis.call('SET', KEYS[i], value, 'PX', ARGV[at + 5]) end
    if value == '' or ARGV[at + 6] == '' then
      redis.call('HDEL', KEYS[1], name)
    else
      redis.call('HSET', KEYS[1], name, ARGV[at + 6])
      redis.call('PEXPIRE', KEYS[1], ARGV[1])
    end
  end
end
return out
"""

# A member that is gone has a 1 in the fourth place; see ENTRY in exchange.lua.
_LIVES = """
local living = {[''] = false, ['-'] = false}
local function lives(owner)
  if living[owner] == nil then
    local entry = redis.call('HGET', KEYS[2], owner)
    living[owner] = entry and string.match(entry, '^%S+ %S+ %S+ (%S+)') == '0' or false
  end
  return living[owner]
end
"""

# KEYS: the hash of owners, members, the records. ARGV: the records' names. For each its value,
# empty if there is none, and whether its owner lives.
_LOOK = """
local out = {}
for i = 3, #KEYS do
  out[#out + 1] = redis.call('GET', KEYS[i]) or ''
  out[#out + 1] = lives(redis.call('HGET', KEYS[1], ARGV[i - 2]) or '') and 1 or 0
end
return out
"""

# KEYS: the hash of owners, members. ARGV: what the records' keys begin with, member, cursor.
_LEFT = """
local page = redis.call('HSCAN', KEYS[1], ARGV[3], 'COUNT', 500)
local found = {page[1]}
for i = 1, #page[2], 2 do
  local name, owner = page[2][i], page[2][i + 1]
  if name ~= '' and owner ~= ARGV[2] and not lives(owner) then
    local value = redis.call('GET', ARGV[1] .. name)
    if value then
      found[#found + 1] = name
      found[#found + 1] = value
    else
      redis.call('HDEL', KEYS[1], name)
    end
  end
end
return found
"""

# Numbers in thousandths, as `merged` in `_learned.py`.
_MERGE = """
local numbers, sum, i = {}, 0, 0
local known = redis.call('GET', KEYS[1]) or ''
for word in string.gmatch(known, '%S+') do i = i + 1; numbers[i] = tonumber(word) end
i = 0
for word in string.gmatch(ARGV[1], '%S+') do
  i = i + 1
  numbers[i] = (numbers[i] or 0) + tonumber(word)
end
for _, number in ipairs(numbers) do sum = sum + number end
for n, number in ipairs(numbers) do
  if sum > tonumber(ARGV[2]) then number = math.floor(number / 2) end
  numbers[n] = string.format('%.0f', number)
end
local text = table.concat(numbers, ' ')
redis.call('SET', KEYS[1], text, 'PX', ARGV[3])
return text
"""


def exchange_script() -> str:
    def quoted(names: tuple[str, ...]) -> str:
        return ", ".join(f"'{name}'" for name in names)

    body = (
        resources.files("captcha_async._sharing")
        .joinpath("exchange.lua")
        .read_text(encoding="utf-8")
    )
    return _HEADER % (quoted(REPORT_FIELDS), quoted(NUMBERS)) + body


def _change() -> str:
    text = _CHANGE.replace("%d", str(SWEEP), 1).replace("%d", str(TAG), 1)
    for place, name in enumerate(NUMBERS, 1):
        text = text.replace(f"{{{name}}}", str(place))
    return text


SCRIPTS: tuple[tuple[str, Callable[[], str]], ...] = (
    ("exchange", exchange_script),
    ("post", lambda: _POST),
    ("unpost", lambda: _UNPOST),
    ("posts", lambda: _POSTS),
    ("change", _change),
    ("look", lambda: _LIVES + _LOOK),
    ("left", lambda: _LIVES + _LEFT),
    ("merge", lambda: _MERGE),
)
