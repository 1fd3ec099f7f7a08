-- drivers: threads
-- Who is told of threads, and where: plain routines in the creator, those for new threads in the new thread and not for the
-- system's; a process that a driver refuses has begun, and its end is told like any other's.
local CODE <const> = 0x22 << 16 | 0x800 << 2
local p = assert(launch("first.exe"))
local h = assert(p:open("\\??\\Threads"))
local function calls(process)
  local status, out = p:control(h, CODE, nil, 64 * 20)
  assert(status == 0, status)
  local list = {}
  for at = 1, #out, 20 do
    local c = {}
    c.kind, c.created, c.process, c.thread, c.current = string.unpack("<I4I4I4I4I4", out, at)
    if c.process == process then list[#list + 1] = c end
  end
  return list
end
local function kinds(list)
  local text = {}
  for _, c in ipairs(list) do
    text[#text + 1] = c.kind .. (c.created == 1 and "+" or "-") .. (c.thread == c.current and "self" or "")
  end
  return table.concat(text, " ")
end
-- the system's thread that the driver made, and whatever else the System process has begun meanwhile: never of kind 2
local system = calls(4)
assert(#system > 0)
for _, c in ipairs(system) do assert(c.kind == 1, kinds(system)) end
local q = assert(launch("second.exe"))
assert(kinds(calls(q.id)) == "3+ 1+ 2+self", "creation")
local id = q.id
q:exit(0)
assert(kinds(calls(id)) == "1-self 2-self 3-", "exit")
local denied, status = launch("denied.exe")
assert(denied == nil and status == 0xC0000022, status)
local all, told = {}, 0
status, all = p:control(h, CODE, nil, 64 * 20)
for at = 1, #all, 20 do
  local kind, created = string.unpack("<I4I4", all, at)
  if kind == 3 then told = told * 10 + 1 + created end
end
assert(told == 21, "a refused process is announced once and its end once: " .. told)
