-- Two processes, one address, two memories; and one that crashes while the other goes on.
--   irqlab run --scenario examples/processes/processes.lua build/examples/processes.sys
local LOOK = 0x22E003
local ADDRESS = 0x20000000
local p, q = assert(launch("first.exe")), assert(launch("second.exe"))
local function look(process)
  local handle = assert(process:open("\\??\\Looker"))
  process:service("NtDeviceIoControlFile", {handle, 0, 0, 0, process.scratch, LOOK, ADDRESS, 16, 0, 0})
  process:close(handle)
end
for _, process in ipairs{p, q} do
  assert(process:allocate(4096, ADDRESS) == ADDRESS)
  process:poke(ADDRESS, process == p and "I am the first\0" or "I am the second\0")
end
look(p)
look(q)
print("the first process crashes")
p:crash(0xC0000005)
print(p:open("\\??\\Looker") == nil and "it is gone" or "it is still there")
look(q)
