-- drivers: images
-- An image that a program maps: each section with its own protection, and who is told of it.
local OK, VIOLATION = 0, 0xC0000005
local SELF = -1 & 0xFFFFFFFFFFFFFFFF
local NOACCESS, READONLY, READWRITE, WRITECOPY, EXECUTE_READ = 1, 2, 4, 8, 0x20

-- Four sections: code, data with a tail of zeros, shared data, one that nobody may read. Base 0x30000000.
local function section(name, size, rva, raw, at, flags)
  return string.pack("<c8I4I4I4I4I4I4I2I2I4", name, size, rva, raw, at, 0, 0, 0, 0, flags)
end
local headers = "MZ" .. string.rep("\0", 58) .. string.pack("<I4", 64) ..
  string.pack("<I4I2I2I4I4I4I2I2", 0x4550, 0x8664, 4, 0, 0, 0, 240, 0x2022) ..
  string.pack("<I2I2I4I4I4I4I4I8I4I4", 0x20B, 0, 0, 0, 0, 0x1000, 0x1000, 0x30000000, 0x1000, 0x200) ..
  string.pack("<I2I2I2I2I2I2I4I4I4I4I2I2I8I8I8I8I4I4", 6, 0, 0, 0, 6, 0, 0, 0x7000, 0x400, 0, 3, 0, 0, 0, 0, 0, 0, 16) ..
  string.rep("\0", 128) ..
  section(".text", 0x10, 0x1000, 0x200, 0x400, 0x60000020) .. section(".data", 0x2000, 0x2000, 0x200, 0x600, 0xC0000040) ..
  section(".share", 0x10, 0x4000, 0x200, 0x800, 0xD0000040) .. section(".none", 0x10, 0x6000, 0x200, 0xA00, 0x00000040)
local file = headers .. string.rep("\0", 0x400 - #headers) .. "code" .. string.rep("c", 0x1FC) .. "data" .. string.rep("d", 0x1FC) ..
  "shared" .. string.rep("s", 0x1FA) .. string.rep("n", 0x200) .. string.rep("\xEE", 0x8000)
expect(write_file([[C:\library.dll]], file), OK)

local p, q = assert(launch("first.exe")), assert(launch("second.exe"))
local function map(process, base)
  local b = process.scratch
  local h = assert(process:open([[\??\C:\library.dll]], 0x100021, 0x20))
  local status, out = process:service("NtCreateSection", {b, 0xF001F, 0, 0, 0x20, 0x1000000, h},
    {{address = b, data = string.pack("<I8", 0)}, {address = b, bytes = 8}})
  expect(status, OK)
  local s = string.unpack("<I8", out[1])
  status, out = process:service("NtMapViewOfSection", {s, SELF, b, 0, 0, 0, b + 8, 2, 0, 0x20},
    {{address = b, data = string.pack("<I8I8", base or 0, 0)}, {address = b, bytes = 16}})
  process:close(s)
  process:close(h)
  return status, string.unpack("<I8I8", out[1])
end
local function query(process, at)
  local b = process.scratch
  local status, out = process:service("NtQueryVirtualMemory", {SELF, at, 0, b, 48, 0}, {{address = b, bytes = 48}})
  expect(status, OK)
  local _, allocation, was, _, bytes, state, protection, kind = string.unpack("<I8I8I4I4I8I4I4I4", out[1])
  return protection, bytes, kind, allocation
end

local status, base, bytes = map(p)
expect(status, OK)
expect(base, 0x30000000)
expect(bytes, 0x7000)
expect(p:peek(base, 2), "MZ")
expect(p:peek(base + 0x1000, 4), "code")
expect(p:peek(base + 0x2000, 4), "data")
expect(p:peek(base + 0x3000, 4), "\0\0\0\0")                     -- beyond the file's bytes
expect(p:peek(base + 0x2200, 4), "\0\0\0\0")
for _, row in ipairs{{0, READONLY, 0x1000}, {0x1000, EXECUTE_READ, 0x1000}, {0x2000, WRITECOPY, 0x2000},
    {0x4000, READWRITE, 0x1000}, {0x5000, NOACCESS, 0x2000}} do
  local protection, size, kind, allocation = query(p, base + row[1])
  expect(protection, row[2], "protection at " .. row[1])
  expect(size, row[3], "bytes at " .. row[1])
  expect(kind, 0x1000000)
  expect(allocation, base)
end
expect(p:poke(base, "x"), VIOLATION)
expect(p:poke(base + 0x1000, "x"), VIOLATION)
expect(select(2, p:peek(base + 0x6000, 1)), VIOLATION)
expect(select(2, p:peek(base + 0x5000, 1)), VIOLATION)

-- Written data are the process's own, shared ones are not; the file stays as it is.
local status, other = map(q)
expect(other, base)
expect(p:poke(base + 0x2000, "mine"), OK)
expect(p:poke(base + 0x4000, "ours"), OK)
expect(q:peek(base + 0x2000, 4), "data")
expect(q:peek(base + 0x4000, 4), "ours")
expect((query(p, base + 0x2000)), READWRITE)
expect((p:service("NtUnmapViewOfSection", {SELF, base})), OK)
q:exit()
expect(read_file([[C:\library.dll]]), file)

-- Where the base is taken: elsewhere, which is said.
assert(p:allocate(0x10000, 0x30000000))
local status, elsewhere = map(p)
expect(status, 0x40000003)
expect(elsewhere ~= base, true)
expect(p:peek(elsewhere + 0x1000, 4), "code")

expect_print("image \\Device\\HarddiskVolume1\\library.dll of " .. p.id .. " at 30000000, 7000 bytes, with its file, in it")
expect_print("image \\Device\\HarddiskVolume1\\library.dll of " .. q.id .. " at 30000000, 7000 bytes, with its file, in it")
expect_print("image \\Device\\HarddiskVolume1\\Windows\\System32\\first.exe of " .. p.id .. " at .* with its file, in it")
expect_level("PASSIVE", "image ")
