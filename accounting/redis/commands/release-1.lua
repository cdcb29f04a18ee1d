#!lua flags=allow-oom
--[[
  Gives up the name of a host, if this instance holds it.

  KEYS[1]  host

  ARGV[1]  instance

  Returns 1 when given up, 0 when it was not held.
]]
if redis.call('HGET', KEYS[1], 'instance') == ARGV[1] then
  return redis.call('DEL', KEYS[1])
end
return 0
