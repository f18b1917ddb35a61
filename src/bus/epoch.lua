-- Reads the position, and starts a new epoch first when the old one cannot be trusted any more.
--
-- A restarted server may have lost its last second (AOF everysec), a promoted replica its unreplicated tail:
-- under the old epoch it would hand out sequence numbers that were used before. Every node runs this script
-- after each connect; the first one to see a foreign run id starts the new epoch, the others find it started.
--
-- KEYS[1] meta hash {epoch, seq, run, bytes}   KEYS[2] history stream
-- ARGV[1] epoch to use if a new one is needed   ARGV[2] an epoch seen to be broken, or ''
-- ARGV[3] 'write' to prove that this server accepts writes, or ''
-- Returns {epoch, seq}.

local run = string.match(redis.call('INFO', 'server'), 'run_id:(%x+)')
local meta = redis.call('HMGET', KEYS[1], 'epoch', 'seq', 'run')
-- A key of another type must fail here, before anything is written: a script is not rolled back.
redis.call('XLEN', KEYS[2])

if not meta[1] or not tonumber(meta[2] or '') or meta[3] ~= run or meta[1] == ARGV[2] then
  redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'seq', '0', 'run', run, 'bytes', '0')
  redis.call('DEL', KEYS[2])
  return {ARGV[1], 0}
end
if ARGV[3] == 'write' then
  redis.call('HSET', KEYS[1], 'run', run)
end
return {meta[1], tonumber(meta[2])}
