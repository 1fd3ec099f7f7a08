-- drivers: echo
-- expect: create by process [0-9]+, mode 1, irql 0
-- expect: close by process [0-9]+, mode 0, irql 0
-- A program opens a device and talks to it by each method; then it ends without closing, and the driver hears of it.
local p = assert(launch("client.exe", {command_line = "client.exe /x"}))
local h = assert(p:open("\\??\\Echo"))
for n, method in ipairs{0, 2, 3} do
  local code = 0x22 << 16 | (0x800 + n - 1) << 2 | method
  local status, out, information = p:control(h, code, "hello, world " .. n, 64)
  assert(status == 0 and out == "hello, world " .. n and information == #out)
end
assert(p:control(h, 0x22 << 16 | 0x803 << 2, "", 0) == 0, "a driver's own requests on the program's thread")
assert(p:open("\\??\\Nothing") == nil)
assert(p:close(h) == 0)
assert(p:close(h) == 0xC0000008)
h = assert(p:open("\\??\\Echo"))
p:exit(7)
assert(p:close(h) == 0xC000000B, "a process that has ended takes no calls")
