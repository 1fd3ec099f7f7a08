-- drivers: vanish
-- User buffers that vanish under a driver that has the request, in each transfer method: the request ends, and nothing else does.
local BUFFERED, IN_DIRECT, OUT_DIRECT, NEITHER = 0, 1, 2, 3
local PAGE = 4096
local function code(n, method) return 0x22 << 16 | (0x800 + n) << 2 | method end
local p = assert(launch("vanish.exe"))
local s = p.scratch
local h, control = assert(p:open("\\??\\Vanish", nil, 0)), assert(p:open("\\??\\Vanish"))

-- One request with its IO_STATUS_BLOCK and its buffers in places of their own. What is in `gone` is given back while it is kept.
-- Returns what finishing it gave, and the status block if that stayed.
local function round(method, gone)
  local at = {iosb = p:allocate(PAGE), input = p:allocate(PAGE), output = p:allocate(PAGE)}
  p:poke(at.iosb, string.pack("<i8i8", 0x103, 0))
  p:poke(at.input, ("i"):rep(64))
  p:poke(at.output, ("o"):rep(64))
  expect((p:service("NtDeviceIoControlFile",
    {h, 0, 0, 0, at.iosb, code(0, method), at.input, 64, at.output, 64})), 0x103)
  for _, what in ipairs(gone) do expect(p:free(at[what]), 0) end
  local status = p:control(control, code(1, BUFFERED))
  local left = {}
  for what, address in pairs(at) do
    local lost = false
    for _, g in ipairs(gone) do lost = lost or g == what end
    if not lost then
      left[what] = p:peek(address, 64)
      expect(p:free(address), 0)
    end
  end
  return status, left
end
local function result(left) return (string.unpack("<i4", left.iosb)), string.unpack("<i8", left.iosb, 9) end

-- Nothing vanishes: every method brings its data.
for method, letter in pairs{[BUFFERED] = "b", [OUT_DIRECT] = "d", [NEITHER] = "n"} do
  local status, left = round(method, {})
  expect(status, 0)
  expect(left.output, letter:rep(64))
  local iosb, information = result(left)
  expect(iosb, 0)
  expect(information, 64)
end
local status, left = round(IN_DIRECT, {})
expect(status, 0)
local iosb, information = result(left)
expect(information, ("o"):byte())

-- The input: the driver has it already, or does not look at it.
for _, method in ipairs{BUFFERED, IN_DIRECT, OUT_DIRECT, NEITHER} do
  local status, left = round(method, {"input"})
  expect(status, 0)
end
-- The output of a locked request stays as long as it is locked; the driver never knows.
for _, method in ipairs{IN_DIRECT, OUT_DIRECT} do
  local status, left = round(method, {"output"})
  expect(status, 0)
  expect((result(left)), 0)
end
-- A bare address is gone: the driver's guard catches it.
local status, left = round(NEITHER, {"output"})
expect(status, 0xC0000005)
expect((result(left)), 0xC0000005 - (1 << 32))
-- The copy of a buffered request is the system's affair.
expect((round(BUFFERED, {"output"})), 0)
-- The status block: the program has nobody but itself to blame.
for _, method in ipairs{BUFFERED, IN_DIRECT, OUT_DIRECT, NEITHER} do expect((round(method, {"iosb"})), 0) end
for _, method in ipairs{BUFFERED, IN_DIRECT, OUT_DIRECT} do expect((round(method, {"iosb", "input", "output"})), 0) end
-- Writable no more.
local page = p:allocate(PAGE)
p:poke(s, string.pack("<i8i8", 0x103, 0))
expect((p:service("NtDeviceIoControlFile", {h, 0, 0, 0, s, code(0, NEITHER), 0, 0, page, 64})), 0x103)
p:poke(s + 0x40, string.pack("<i8i8", page, PAGE))
expect((p:service("NtProtectVirtualMemory", {-1 & 0xFFFFFFFFFFFFFFFF, s + 0x40, s + 0x48, 2, s + 0x50})), 0)
expect((p:control(control, code(1, BUFFERED))), 0xC0000005)
-- The whole process goes with a request of each method under way.
for _, method in ipairs{BUFFERED, IN_DIRECT, OUT_DIRECT, NEITHER} do
  local q = assert(launch("goes.exe"))
  local device, b = assert(q:open("\\??\\Vanish", nil, 0)), q.scratch
  expect((q:service("NtDeviceIoControlFile", {device, 0, 0, 0, b, code(0, method), b + 64, 64, b + 128, 64})), 0x103)
  if method % 2 == 0 then q:exit(0) else q:crash() end
  expect((p:control(control, code(1, BUFFERED))), 0xC0000225)
end
p:exit(0)
