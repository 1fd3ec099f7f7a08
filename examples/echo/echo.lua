-- The walk of echo.c, started by a process of the scenario's own.
machine{drivers = {"echo.sys"}}

local process = assert(launch("echo-client.exe"))
local device = assert(process:open([[\??\Echo]]))
print("the program sends:    hello, device")
local status, back = process:control(device, 0x222000, "hello, device", 64)
print("the program receives: " .. back)
assert(status == 0 and back == "hello, device")

-- What the driver refuses: nothing, too much, too little room, another code.
assert(process:control(device, 0x222000, "", 64) == 0xC000000D)
assert(process:control(device, 0x222000, string.rep("x", 5000), 8000) == 0xC000000D)
assert(process:control(device, 0x222000, "hello", 2) == 0xC000000D)
assert(process:control(device, 0x222004, "hello", 64) == 0xC0000010)
process:exit(0)
