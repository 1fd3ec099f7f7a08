-- drivers: spaces
-- Each process has its own memory at the same address, also as a driver sees it.
local function code(n, method) return 0x22 << 16 | (0x800 + n) << 2 | method end
local ADDRESS = 0x12340000
local p, q = assert(launch("first.exe")), assert(launch("second.exe"))
local hp, hq = assert(p:open("\\??\\Spaces")), assert(q:open("\\??\\Spaces"))
assert(p:allocate(0x10000, ADDRESS) == ADDRESS and q:allocate(0x10000, ADDRESS) == ADDRESS)
p:poke(ADDRESS, "ppPP")
q:poke(ADDRESS, "qqQQ")
assert(p:peek(ADDRESS, 4) == "ppPP" and q:peek(ADDRESS, 4) == "qqQQ")
local function look(x, h)
  local status, out = x:service("NtDeviceIoControlFile", {h, 0, 0, 0, x.scratch, code(0, 3), ADDRESS, 4, x.scratch + 64, 4},
    {{address = x.scratch + 64, bytes = 4}})
  assert(status == 0, status)
  return out[1]
end
assert(look(p, hp) == "ppPP" and look(q, hq) == "qqQQ" and look(p, hp) == "ppPP")
-- copied by the driver, and read by being there
assert(q:control(hq, code(1, 0), string.pack("<i8i8i8i8", p.id, ADDRESS, ADDRESS + 0x100, 4)) == 0)
assert(q:peek(ADDRESS + 0x100, 4) == "ppPP")
local status, out = q:control(hq, code(2, 0), string.pack("<i8i8i8i8", p.id, ADDRESS, 0, 0), 32)
assert(status == 0 and out == "ppPP")
-- freed memory is gone for the program, but locked pages stay
assert(p:service("NtDeviceIoControlFile", {hp, 0, 0, 0, p.scratch, code(3, 1), 0, 0, ADDRESS, 4}) == 0)
assert(p:free(ADDRESS) == 0 and p:peek(ADDRESS, 4) == nil)
status, out = p:control(hp, code(4, 0), nil, 4)
assert(status == 0 and out == "ppPP")
-- a driver's page in the program's memory
status, out = p:control(hp, code(5, 0), nil, 8)
local shown = string.unpack("<i8", out)
assert(status == 0 and string.unpack("<i4", p:peek(shown + 28, 4)) == 0x7777)
assert(q:peek(shown, 4) == nil)
assert(p:control(hp, code(6, 0)) == 0 and p:peek(shown, 4) == nil)
-- who asks
status, out = q:control(hq, code(7, 0), nil, 48)
local id, parent, peb, wow64, is32, mode = string.unpack("<i8i8i8i8i8i8", out)
assert(status == 0 and id == q.id and parent == 4 and wow64 == 0 and is32 == 0 and mode == 1)
local image = string.unpack("<i8", q:peek(peb + 0x10, 8))
assert(q:peek(image, 2) == "MZ")
local w = assert(launch("old.exe", {wow64 = true, command_line = "old.exe -q"}))
local hw = assert(w:open("\\??\\Spaces"))
status, out = w:control(hw, code(7, 0), nil, 48)
id, parent, peb, wow64, is32 = string.unpack("<i8i8i8i8i8", out)
assert(status == 0 and is32 == 1 and wow64 ~= 0 and wow64 < 1 << 32)
local parameters = string.unpack("<I4", w:peek(wow64 + 0x10, 4))
local length, _, text = string.unpack("<I2I2I4", w:peek(parameters + 0x40, 8))
assert(length == 20 and w:peek(text, 20) == "o\0l\0d\0.\0e\0x\0e\0 \0-\0q\0")
-- memory that is reserved, read-only, guarded
local m = p:allocate(0x3000, 0, 4, 0x2000)
assert(m and p:peek(m, 1) == nil)
assert(p:allocate(0x1000, m + 0x1000, 2, 0x1000) == m + 0x1000)
assert(p:peek(m + 0x1000, 1) == "\0" and p:poke(m + 0x1000, "x") == 0xC0000005)
assert(p:peek(m, 1) == nil and p:peek(m + 0x2000, 1) == nil)
