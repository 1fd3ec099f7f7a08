-- drivers: fast
-- A program's read and write of a cached file go to the driver's fast routines, with the program's own buffer; what they
-- refuse becomes a request, and a buffer that is not there is said before either is asked.
local p = assert(launch("client.exe"))
local h = assert(p:open("\\??\\Fast"))
local status, n = p:write(h, "fast!")
assert(status == 0 and n == 5)
local data
status, data = p:read(h, 4)
assert(status == 0 and data == "fast", data)
status, data = p:read(h, 5)
assert(status == 0 and data == "as a ", data)
local s = p.scratch
assert(p:service("NtReadFile", {h, 0, 0, 0, s, 0x7000, 4, 0, 0}) == 0xC0000005)
assert(p:close(h) == 0)
