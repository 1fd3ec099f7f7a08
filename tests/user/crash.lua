-- drivers: queue
-- An application that crashes takes nobody else down: its requests are cancelled, its handles closed; the others go on.
local function code(n) return 0x22 << 16 | (0x800 + n) << 2 end
local p, q = assert(launch("first.exe")), assert(launch("second.exe"))
local hp, hq = assert(p:open("\\??\\Queue", nil, 0)), assert(q:open("\\??\\Queue"))
local status, _, _, slot = p:service("NtDeviceIoControlFile", {hp, 0, 0, 0, p.scratch, code(0), 0, 0, 0, 0})
assert(status == 0x103, status)
local _, out = q:control(hq, code(1), nil, 8)
assert(string.unpack("<I4", out) == 1, "one request is pending")
p:crash(0xC0000005)
_, out = q:control(hq, code(1), nil, 8)
local pending, cancelled = string.unpack("<I4I4", out)
assert(pending == 0 and cancelled == 1)
assert(p:close(hp) == 0xC000000B or p:close(hp) == 0xC0000008)
-- so does one that ends in the middle of nothing, and the machine's other process still works
assert(q:poke(q.scratch, "still here") == 0 and q:peek(q.scratch, 10) == "still here")
