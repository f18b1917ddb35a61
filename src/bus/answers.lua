-- Appends answers to the stream of responses in one call. KEYS[1] the stream, ARGV the answers.
for _, answer in ipairs(ARGV) do
  redis.call('XADD', KEYS[1], '*', 'op', answer)
end
return #ARGV
