-- drivers: echo
-- The services around tokens, as a program calls them.
local OK, TOO_SMALL, VIOLATION, BAD_HANDLE = 0, 0xC0000023, 0xC0000005, 0xC0000008
local SELF = -1 & 0xFFFFFFFFFFFFFFFF
local p = assert(launch("token.exe"))
local b = p.scratch

local function token(access)
  p:poke(b, string.pack("<I8", 0))
  local status, out = p:service("NtOpenProcessToken", {SELF, access, b}, {{address = b, bytes = 8}})
  expect(status, OK)
  return (string.unpack("<I8", out[1]))
end
local function query(handle, class, room)
  local status, out = p:service("NtQueryInformationToken", {handle, class, b + 0x100, room, b + 8},
    {{address = b + 8, bytes = 4}, {address = b + 0x100, bytes = room}})
  return status, string.unpack("<I4", out[1]), out[2]
end

-- TokenUser: asked for its size, then for itself; the SID lies behind the structure.
local t = token(0x28) -- query, adjust privileges
local status, need = query(t, 1, 0)
expect(status, TOO_SMALL)
local status, got, user = query(t, 1, need)
expect(status, OK)
expect(got, need)
expect(user:byte(17), 1)                                      -- the SID's revision
expect((query(t, 1, need - 1)), TOO_SMALL)
expect((query(t, 99, 64)), 0xC0000003)
expect((p:service("NtQueryInformationToken", {t, 1, b + 0x100, 64, 0})), VIOLATION)
expect((p:service("NtQueryInformationToken", {t, 1, 0x7FFFFFFF0000, 64, b})), VIOLATION)
expect((p:service("NtQueryInformationToken", {0x4444, 1, b, 64, b + 0x80})), BAD_HANDLE)

-- A privilege is disabled and enabled again; the state before comes back.
local function privileges(count, luid, attributes)
  return string.pack("<I4I8I4", count, luid, attributes)
end
local CHANGE_NOTIFY = 23
local function adjust(attributes, room)
  p:poke(b + 0x200, privileges(1, CHANGE_NOTIFY, attributes))
  local status, out = p:service("NtAdjustPrivilegesToken", {t, 0, b + 0x200, room, b + 0x240, b + 0x280},
    {{address = b + 0x240, bytes = 16}, {address = b + 0x280, bytes = 4}})
  return status, out
end
expect((adjust(0, 4)), TOO_SMALL)
local status, out = adjust(0, 16)
expect(status, OK)
local count, luid, before = string.unpack("<I4I8I4", out[1])
expect(count, 1)
expect(luid, CHANGE_NOTIFY)
expect(before & 2, 2)
expect((adjust(2, 16)), OK)
p:poke(b + 0x200, privileges(1, 5000, 2))
expect((p:service("NtAdjustPrivilegesToken", {t, 0, b + 0x200, 0, 0, 0})), 0x106)  -- not all assigned
p:poke(b + 0x200, privileges(0x10000000, 0, 0))
expect((p:service("NtAdjustPrivilegesToken", {t, 0, b + 0x200, 0, 0, 0})), 0xC000000D)
expect((p:service("NtAdjustPrivilegesToken", {t, 0, b + 0x200, 16, b + 0x240, 0})), 0xC000000D)
expect((p:service("NtAdjustPrivilegesToken", {t, 1, 0, 16, b + 0x240, 0})), VIOLATION)
expect((p:service("NtAdjustPrivilegesToken", {t, 0, 8, 0, 0, 0})), VIOLATION)

-- Access: a handle to look with does not adjust.
local look = token(8)
expect((p:service("NtAdjustPrivilegesToken", {look, 1, 0, 0, 0, 0})), 0xC0000022)
expect((p:service("NtSetInformationToken", {look, 6, b, 8})), 0xC0000022)
-- A thread of its own has none.
local thread = -2 & 0xFFFFFFFFFFFFFFFF
expect((p:service("NtOpenThreadToken", {thread, 8, 1, b})), 0xC000007C)
-- A copy is another token.
local original = token(2)
local status, out = p:service("NtDuplicateToken", {original, 8, 0, 0, 1, b}, {{address = b, bytes = 8}})
expect(status, OK)
local copy = string.unpack("<I8", out[1])
expect((query(copy, 1, 0)), TOO_SMALL)
for _, h in ipairs{t, look, original, copy} do expect(p:close(h), OK) end
p:exit(0)
