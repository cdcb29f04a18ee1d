#!lua
--[[
  Says over how many hashes an owner's rows of a bucket are spread, once all of them are published. Never fewer than before.

  KEYS[1]  index: the bucket's hash of owners

  ARGV[1]  the owner's field in the index
  ARGV[2]  number of hashes, decimal digits
  ARGV[3]  when the index expires, seconds since 1970

  Returns 1 when it was raised, 0 when it stood there or higher.
]]
local spread = redis.call('HGET', KEYS[1], ARGV[1])
if spread and (#spread > #ARGV[2] or (#spread == #ARGV[2] and spread >= ARGV[2])) then
  return 0
end
local fresh = redis.call('EXISTS', KEYS[1]) == 0
redis.call('HSET', KEYS[1], ARGV[1], ARGV[2])
if fresh then
  redis.call('EXPIREAT', KEYS[1], ARGV[3])
else
  redis.call('EXPIREAT', KEYS[1], ARGV[3], 'GT')
end
return 1
