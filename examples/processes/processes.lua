-- Processes in user mode, the last one a 32-bit program: one address, each its own memory; and one that crashes while the
-- others go on.
--   irqlab run --scenario examples/processes/processes.lua build/examples/processes.sys
local LOOK = 0x22E003
local ADDRESS = 0x20000000
local p, q, w = assert(launch("first.exe")), assert(launch("second.exe")), assert(launch("old.exe", {wow64 = true}))
local says = {[p] = "I am the first", [q] = "I am the second", [w] = "I am the third"}
local function look(process)
  local handle = assert(process:open("\\??\\Looker"))
  process:service("NtDeviceIoControlFile", {handle, 0, 0, 0, process.scratch, LOOK, ADDRESS, 16, 0, 0})
  process:close(handle)
end
for _, process in ipairs{p, q, w} do
  assert(process:allocate(4096, ADDRESS) == ADDRESS)
  process:poke(ADDRESS, says[process] .. "\0")
end
look(p)
look(q)
look(w)
print("the first process crashes")
p:crash(0xC0000005)
print(p:open("\\??\\Looker") == nil and "it is gone" or "it is still there")
look(q)
