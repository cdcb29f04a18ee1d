#!lua
--[[
  Replaces one owner's rows of a bucket, if they are newer than what is held.

  KEYS[1]  rows: a hash of this owner alone; field '#' is its version
  KEYS[2]  index: the bucket's hash of owners (same slot)

  ARGV[1]  version, decimal digits without leading zeros
  ARGV[2]  when both expire, seconds since 1970
  ARGV[3]  the owner's field in the index
  ARGV[4]  number of hashes its rows are spread over, to be announced in the index; '' to announce nothing
  ARGV[5…] field, value, field, value, …

  Returns 1 when replaced, 0 when what is held is as new or newer.
  Versions and counts stay texts: numbers here are doubles.
  The first line lets a full Redis refuse all of it: without, the DEL would open the door for what follows.
]]
local held = redis.call('HGET', KEYS[1], '#')
local version = ARGV[1]
local newer = not held or #version > #held or (#version == #held and version > held)

if newer then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], '#', version)
  -- unpack is limited by the interpreter's stack
  for first = 5, #ARGV, 1000 do
    redis.call('HSET', KEYS[1], unpack(ARGV, first, math.min(first + 999, #ARGV)))
  end
  redis.call('EXPIREAT', KEYS[1], ARGV[2])
end

if ARGV[4] ~= '' then
  local spread = redis.call('HGET', KEYS[2], ARGV[3])
  if not spread or #ARGV[4] > #spread or (#ARGV[4] == #spread and ARGV[4] > spread) then
    local fresh = redis.call('EXISTS', KEYS[2]) == 0
    redis.call('HSET', KEYS[2], ARGV[3], ARGV[4])
    -- hosts may keep buckets for different times: the index lives as long as the longest
    if fresh then
      redis.call('EXPIREAT', KEYS[2], ARGV[2])
    else
      redis.call('EXPIREAT', KEYS[2], ARGV[2], 'GT')
    end
  end
end

return newer and 1 or 0
