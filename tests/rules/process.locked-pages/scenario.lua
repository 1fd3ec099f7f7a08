local p = assert(launch("client.exe"))
local h = assert(p:open("\\??\\Keeper"))
local memory = p:allocate(0x4000)
-- METHOD_NEITHER: the driver locks the buffer itself
assert(p:service("NtDeviceIoControlFile", {h, 0, 0, 0, p.scratch, 0x222003, memory, 0x3000, 0, 0}) == 0)
p:exit(0)
