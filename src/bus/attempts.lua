-- Lets an attempt through only where every key has room for it, and counts it under all of them or under none (the generic cell
-- rate algorithm, see domain/rate.rs; the clock is the server's, so nodes need not agree on theirs).
--
-- KEYS[i] the moment at which what was let through would have come evenly, in microseconds
-- ARGV[2i-1] between two that come evenly   ARGV[2i] how far ahead of evenly one may be
-- Returns {0, 0}, or {the key without room, microseconds to wait}. Whole numbers below 2^53 throughout.

local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local even = {}
for i = 1, #KEYS do
  local known = tonumber(redis.call('GET', KEYS[i]) or '0') or 0
  even[i] = math.max(known, now) + ARGV[2 * i - 1]
  local wait = even[i] - now - ARGV[2 * i]
  if wait > 0 then
    return {i, math.ceil(wait)}
  end
end
for i = 1, #KEYS do
  redis.call('SET', KEYS[i], string.format('%.0f', even[i]), 'PX', math.ceil((even[i] - now) / 1000))
end
return {0, 0}
