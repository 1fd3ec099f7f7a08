-- drivers: echo
-- Security descriptors that programs bring: good ones become the object's, bad ones are a status.
local OK, VIOLATION, MISALIGNED = 0, 0xC0000005, 0x80000002
local p = assert(launch("security.exe"))
local b = p.scratch

-- An event with the descriptor at `at`; its handle and the status.
local function create(at)
  local status, out = p:service("NtCreateEvent", {b, 0x1F0003, b + 0x40, 0, 0}, {
    {address = b, data = string.pack("<I8", 0)},
    {address = b + 0x40, data = string.pack("<I4I4I8I8I4I4I8I8", 48, 0, 0, 0, 0, 0, at, 0)}, {address = b, bytes = 8}})
  return status, (string.unpack("<I8", out[1] or string.rep("\0", 8)))
end
local function dacl_of(handle)
  local status, out = p:service("NtQuerySecurityObject", {handle, 4, b + 0x800, 0x200, b + 8},
    {{address = b + 0x800, bytes = 0x200}})
  expect(status, OK)
  local _, _, control, _, _, _, dacl = string.unpack("<I1I1I2I4I4I4I4", out[1])
  return control & 4 ~= 0, dacl ~= 0 and out[1]:sub(dacl + 1, dacl + 8)
end

local everyone = string.pack("<I1I1I2I4I4", 1, 1, 0, 0x01000000, 0)
local ace = string.pack("<I1I1I2I4", 0, 0, 8 + #everyone, 0x1F0003) .. everyone
local acl = string.pack("<I1I1I2I2I2", 2, 0, 8 + #ace, 1, 0) .. ace
local system = string.pack("<I1I1I2I4I4", 1, 1, 0, 0x05000000, 18)

-- Self-relative, and absolute with pointers.
p:poke(b + 0x400, string.pack("<I1I1I2I4I4I4I4", 1, 0, 0x8004, 0, 0, 0, 20) .. acl)
local status, h = create(b + 0x400)
expect(status, OK)
local there, head = dacl_of(h)
expect(there, true)
expect(head, acl:sub(1, 8))
p:poke(b + 0x500, string.pack("<I1I1I2I4I8I8I8I8", 1, 0, 4, 0, 0, 0, 0, b + 0x540))
p:poke(b + 0x540, acl)
status, h = create(b + 0x500)
expect(status, OK)
expect(select(2, dacl_of(h)), acl:sub(1, 8))
local status, plain = create(0)
expect(status, OK)

-- Bad ones.
expect((create(0x7FFFFFFF0000)), VIOLATION)
expect((create(16)), VIOLATION)
expect((create(b + 0x401)), MISALIGNED)
p:poke(b + 0x500, string.pack("<I1I1I2I4I8I8I8I8", 1, 0, 4, 0, 0, 0, 0, 16))
expect((create(b + 0x500)), VIOLATION)
p:poke(b + 0x500, string.pack("<I1I1I2I4I8I8I8I8", 2, 0, 4, 0, 0, 0, 0, b + 0x540))
expect((create(b + 0x500)), 0xC0000058)
p:poke(b + 0x500, string.pack("<I1I1I2I4I8I8I8I8", 1, 0, 4, 0, 0, 0, 0, b + 0x540))
p:poke(b + 0x542, string.pack("<I2", 4))
expect((create(b + 0x500)), 0xC0000077)
p:poke(b + 0x542, string.pack("<I2", 0xFFFF))
expect((create(b + 0x500)) >= 0xC0000000, true)
p:poke(b + 0x500, string.pack("<I1I1I2I4I8I8I8I8", 1, 0, 0, 0, b + 0x580, 0, 0, 0))
p:poke(b + 0x580, "\2" .. system:sub(2))
expect((create(b + 0x500)), 0xC0000078)

-- The same for an object that is there.
expect((p:service("NtSetSecurityObject", {h, 4, b + 0x401})), MISALIGNED)
for _, at in ipairs{0x7FFFFFFF0000, 16, 0} do
  expect((p:service("NtSetSecurityObject", {h, 4, at})), VIOLATION)
end
p:poke(b + 0x400, string.pack("<I1I1I2I4I4I4I4", 1, 0, 0x8004, 0, 0, 0, 0))
expect((p:service("NtSetSecurityObject", {h, 4, b + 0x400})), OK)
local there, head = dacl_of(h)
expect(there, true)
expect(head, false)
