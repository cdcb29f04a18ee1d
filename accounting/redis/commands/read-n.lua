#!lua flags=no-writes
--[[
  Reads many hashes at once: one answer and one text each are a fraction of the work that a command for each would be.

  KEYS[1…]  hashes of the ledger (in a Cluster, of one slot)

  Returns for each its fields and values with a line feed between any two, '' where there is no such hash.
  The names that the ledger writes have no line feed: they are percent-encoded.
]]
local texts = {}
for place = 1, #KEYS do
  texts[place] = table.concat(redis.call('HGETALL', KEYS[place]), '\n')
end
return texts
