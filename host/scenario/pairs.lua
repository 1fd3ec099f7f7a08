-- pairs in the order of the keys: numbers, then strings, then the rest as they come.
local next, sort, type, getmetatable = next, table.sort, type, getmetatable
local rank = {number = 1, string = 2}
local function before(a, b)
  local x, y = rank[type(a)] or 3, rank[type(b)] or 3
  if x ~= y then return x < y end
  return x < 3 and a < b
end
function pairs(t)
  local m = getmetatable(t)
  if m and m.__pairs then return m.__pairs(t) end
  local keys, i = {}, 0
  for k in next, t do keys[#keys + 1] = k end
  sort(keys, before)
  return function()
    repeat i = i + 1 until keys[i] == nil or t[keys[i]] ~= nil
    return keys[i], t[keys[i]]
  end, t, nil
end
