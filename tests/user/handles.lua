-- drivers: echo
-- Handles of one process in another: duplicated, used there, closed at the source; and what is refused.
local SELF = -1 & 0xFFFFFFFFFFFFFFFF
local first, second = assert(launch("first.exe")), assert(launch("second.exe"))
local b = first.scratch

local function open_process(who, access)
  first:poke(b, string.pack("<I8", 0))
  first:poke(b + 0x40, string.pack("<I4I4I8I8I4I4I8I8", 48, 0, 0, 0, 0, 0, 0, 0))
  first:poke(b + 0x80, string.pack("<I8I8", who, 0))
  local status, out = first:service("NtOpenProcess", {b, access, b + 0x40, b + 0x80}, {{address = b, bytes = 8}})
  return status, string.unpack("<I8", out[1] or string.pack("<I8", 0))
end
local function duplicate(from_process, from, to_process, access, options)
  local status, out = first:service("NtDuplicateObject", {from_process, from, to_process, b + 16, access, 0, options},
    {{address = b + 16, bytes = 8}})
  return status, out[1] and string.unpack("<I8", out[1])
end

local status, other = open_process(second.id, 0x40)           -- PROCESS_DUP_HANDLE
expect(status, 0)
local echo = assert(first:open([[\??\Echo]]))
local status, theirs = duplicate(SELF, echo, other, 0, 2)     -- DUPLICATE_SAME_ACCESS
expect(status, 0)
-- It works there, after the one it was made of is closed, and does not here.
expect(first:close(echo), 0)
local status, back = second:control(theirs, 0x222000, "from another", 64)
expect(status, 0)
expect(back, "from another")
expect((first:control(0x4440, 0x222000, "x", 16)), 0xC0000008)
-- Moved: DUPLICATE_CLOSE_SOURCE takes it away there.
local status, mine = duplicate(other, theirs, SELF, 0, 3)
expect(status, 0)
expect((second:control(theirs, 0x222000, "gone", 16)), 0xC0000008)
expect((first:control(mine, 0x222000, "here", 16)), 0)
-- Less access than before stays less.
local function event(access)
  first:poke(b, string.pack("<I8", 0))
  local status, out = first:service("NtCreateEvent", {b, access, 0, 0, 0}, {{address = b, bytes = 8}})
  expect(status, 0)
  return (string.unpack("<I8", out[1]))
end
local full = event(0x1F0003)
local status, waits = duplicate(SELF, full, SELF, 0x100000, 0) -- SYNCHRONIZE
expect(status, 0)
expect((first:service("NtSetEvent", {waits, 0})), 0xC0000022)
expect((first:service("NtSetEvent", {full, 0})), 0)
expect((first:service("NtWaitForSingleObject", {waits, 0, 0})), 0)
-- What can't be.
expect((duplicate(SELF, 0x4440, SELF, 0, 2)), 0xC0000008)
expect((duplicate(0x4440, full, SELF, 0, 2)), 0xC0000008)
local status, weak = open_process(second.id, 0x400)           -- query only
expect(status, 0)
expect((duplicate(SELF, full, weak, 0, 2)), 0xC0000022)
expect((first:service("NtDuplicateObject", {SELF, full, SELF, 0x7FFFFFFF0000, 0, 0, 2})), 0xC0000005)
-- A process that has gone takes no handle.
second:exit(0)
expect((duplicate(SELF, full, other, 0, 2)), 0xC000010A)
-- The symptom was: a misaligned buffer of a service that fills it stopped the machine.
expect((first:service("NtQueryInformationProcess", {SELF, 0, b + 1, 48, 0})), 0x80000002)
expect((first:service("NtQueryInformationThread", {-2 & 0xFFFFFFFFFFFFFFFF, 0, b + 2, 48, b + 1})), 0x80000002)
first:exit(0)
