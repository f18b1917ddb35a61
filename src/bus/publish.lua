-- Publishes rows as one message, atomically: suppress what was carried already, take the next sequence
-- number, remember the message in the history, send it. A row that concerns one user goes to that user's
-- channel instead, alone and without a number.
--
-- KEYS[1] meta hash {epoch, seq, run, bytes}   KEYS[2] history stream
-- KEYS[3] carried versions by row, and 'since'   KEYS[4] those before 'since'
-- ARGV[1] channel   ARGV[2] epoch to use if there is none   ARGV[3] PUBLISH, or SPUBLISH in a cluster
-- ARGV[4..7] name, version, JSON and user's channel (or '') of row 1, and so on
-- Returns {epoch, seq, rows sent}. Running it twice sends nothing the second time.

local REMEMBERED_S = 300
local REMEMBERED_MAX = 500000 -- rows in one of the two hashes
local HISTORY_MESSAGES_MAX = 20000
local HISTORY_BYTES_MAX = 64 * 1024 * 1024
local TRIM_EVERY = 64 -- messages between two looks at the history's size in bytes

-- Versions are compared as decimal strings: Lua's numbers are doubles and would merge neighbours above 2^53.
local function is_newer(a, b)
  return #a > #b or (#a == #b and a > b)
end

-- A stray key of another type under our prefix must not stop the news.
local function carried_in(key, names)
  local found = redis.pcall('HMGET', key, unpack(names))
  if found.err then
    redis.call('DEL', key)
    return {}
  end
  return found
end

local known = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local epoch = known[1]
local now = redis.call('TIME')
local at = now[1] .. string.format('%06d', now[2])

local names = {}
for i = 4, #ARGV, 4 do
  names[#names + 1] = ARGV[i]
end
local before = carried_in(KEYS[4], names)
names[#names + 1] = 'since'
local lately = carried_in(KEYS[3], names)
local since = tonumber(lately[#names] or '')
-- One call remembers a whole batch, where a key with a time of its own would take a call for each row. What was remembered for
-- long enough, or is too much, becomes the older half, and the half before it is forgotten.
if since and (now[1] - since >= REMEMBERED_S or redis.call('HLEN', KEYS[3]) > REMEMBERED_MAX) then
  redis.call('UNLINK', KEYS[4])
  redis.call('RENAME', KEYS[3], KEYS[4])
  before, lately, since = lately, {}, nil
end
if not since then
  redis.call('HSET', KEYS[3], 'since', now[1])
  redis.call('EXPIRE', KEYS[3], 2 * REMEMBERED_S)
end

local rows, carried = {}, {}
for i = 1, #names - 1 do
  local version, row, channel = ARGV[4 * i + 1], ARGV[4 * i + 2], ARGV[4 * i + 3]
  local newest = lately[i] or before[i]
  if not newest or is_newer(version, newest) then
    carried[#carried + 1] = names[i]
    carried[#carried + 1] = version
    if channel == '' then
      rows[#rows + 1] = row
    else
      redis.call(ARGV[3], channel, '{"at":' .. at .. ',"items":[' .. row .. ']}')
    end
  end
end
local sent = #carried / 2
if #rows == 0 then
  if sent > 0 then
    redis.call('HSET', KEYS[3], unpack(carried))
  end
  return {epoch or '', tonumber(known[2] or '0'), sent}
end

if not epoch then
  -- Somebody flushed the database. What the history holds, if anything, belongs to no epoch we know.
  epoch = ARGV[2]
  local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'seq', '0', 'run', run, 'bytes', '0')
  redis.call('DEL', KEYS[2])
end

-- '%.0f' because Lua prints 1e+15 for a plain tostring.
local seq = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local text = string.format('%.0f', seq)
local payload = '{"epoch":"' .. epoch .. '","seq":' .. text .. ',"at":' .. at .. ',"items":[' .. table.concat(rows, ',') .. ']}'
local bytes = redis.call('HINCRBY', KEYS[1], 'bytes', #payload)

redis.call('XADD', KEYS[2], 'MAXLEN', '~', HISTORY_MESSAGES_MAX, text .. '-0',
  'bytes', string.format('%.0f', bytes), 'payload', payload)
if seq % TRIM_EVERY == 0 then
  local oldest = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
  if oldest and bytes - tonumber(oldest[2][2]) > HISTORY_BYTES_MAX then
    redis.call('XTRIM', KEYS[2], 'MAXLEN', math.ceil(redis.call('XLEN', KEYS[2]) / 2))
  end
end

redis.call('HSET', KEYS[3], unpack(carried))
redis.call(ARGV[3], ARGV[1], payload)
return {epoch, seq, sent}
