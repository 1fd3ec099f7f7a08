local p = assert(launch("client.exe"))
local h = assert(p:open("\\??\\Later"))
local memory = p:allocate(4096)
p:poke(memory, "abcd")
-- METHOD_NEITHER: the driver gets the bare address
p:service("NtDeviceIoControlFile", {h, 0, 0, 0, p.scratch, 0x222003, memory, 4, 0, 0})
advance(1)
