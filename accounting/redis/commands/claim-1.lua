#!lua flags=allow-oom
--[[
  Claims or renews the name of a host for one running instance.

  KEYS[1]  host: a hash of instance, seat and what people want to know

  ARGV[1]  instance: random, of this start
  ARGV[2]  seat: digest of the machine and the place of its data directory
  ARGV[3]  '1' for the first claim of this instance, '0' to renew
  ARGV[4]  milliseconds until the claim lapses
  ARGV[5…] field, value, … for people

  Returns 1 when claimed anew, 2 when renewed, 0 when another instance lives under this name.
  Works in a full Redis too: it is a few bytes, and a lapsed claim would let a copied directory in.
  A first claim may take over from an instance at the same seat: that one was restarted. A renewal may not: whoever holds
  the claim then is running beside this instance.
]]
local instance = redis.call('HGET', KEYS[1], 'instance')
local seat = redis.call('HGET', KEYS[1], 'seat')
local mine = instance == ARGV[1]
local lapsed = not instance
local restarted = ARGV[3] == '1' and seat == ARGV[2]

if not (mine or lapsed or restarted) then
  return 0
end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'instance', ARGV[1], 'seat', ARGV[2], unpack(ARGV, 5))
redis.call('PEXPIRE', KEYS[1], ARGV[4])
return mine and 2 or 1
