-- Publishes rows as one message, atomically: suppress what was carried already, take the next sequence
-- number, remember the message in the history, send it. A row that concerns one user goes to that user's
-- channel instead, alone and without a number.
--
-- KEYS[1] meta hash {epoch, seq, run, bytes}   KEYS[2] history stream   KEYS[3..] carried version of row i
-- ARGV[1] channel   ARGV[2] epoch to use if there is none   ARGV[3] PUBLISH, or SPUBLISH in a cluster
-- ARGV[4..6] version, JSON and user's channel (or '') of row 1, and so on
-- Returns {epoch, seq, rows sent}. Running it twice sends nothing the second time.

local VERSION_TTL_S = 300
local HISTORY_MESSAGES_MAX = 20000
local HISTORY_BYTES_MAX = 64 * 1024 * 1024
local TRIM_EVERY = 64 -- messages between two looks at the history's size in bytes

-- Versions are compared as decimal strings: Lua's numbers are doubles and would merge neighbours above 2^53.
local function is_newer(a, b)
  return #a > #b or (#a == #b and a > b)
end

local known = redis.call('HMGET', KEYS[1], 'epoch', 'seq')
local epoch = known[1]

-- MGET answers nil for a key of another type, so a stray key under our prefix cannot stop the news.
local carried = redis.call('MGET', unpack(KEYS, 3))
local now = redis.call('TIME')
local at = now[1] .. string.format('%06d', now[2])
local rows, keys, versions, sent = {}, {}, {}, 0
for i = 1, #KEYS - 2 do
  local version, row, channel = ARGV[1 + 3 * i], ARGV[2 + 3 * i], ARGV[3 + 3 * i]
  if not carried[i] or is_newer(version, carried[i]) then
    sent = sent + 1
    if channel == '' then
      rows[#rows + 1] = row
      keys[#keys + 1] = KEYS[2 + i]
      versions[#versions + 1] = version
    else
      redis.call('SET', KEYS[2 + i], version, 'EX', VERSION_TTL_S)
      redis.call(ARGV[3], channel, '{"at":' .. at .. ',"items":[' .. row .. ']}')
    end
  end
end
if #rows == 0 then
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

for i = 1, #keys do
  redis.call('SET', keys[i], versions[i], 'EX', VERSION_TTL_S)
end
redis.call(ARGV[3], ARGV[1], payload)
return {epoch, seq, sent}
