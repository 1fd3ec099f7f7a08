-- drivers: maps
-- A driver's memory in a program, and what it keeps of the program: until it is taken away or the program ends.
local OK, INVALID_ADDRESS, CONFLICT, VIOLATION = 0, 0xC0000141, 0xC0000018, 0xC0000005
local function code(n, method) return 0x22 << 16 | (0x800 + n) << 2 | (method or 0) end
local function word(text) return (string.unpack("<I4", text)) end
local p, q = assert(launch("first.exe")), assert(launch("second.exe"))
local hp, hq = assert(p:open("\\??\\Maps")), assert(q:open("\\??\\Maps"))
local LAST <const> = 2560 * 4 - 20           -- of the last word, from the first that is shown
local function map(x, h, address, flags)
  local status, out = x:control(h, code(0), string.pack("<I8I8I8", address or 0, flags or 0, 0), 24)
  return status, status == OK and string.unpack("<I8", out) or nil
end
local function unmap(x, h) expect((x:control(h, code(2))), OK) end
local function last(x, h)
  local status, out = x:control(h, code(3), nil, 4)
  expect(status, OK)
  return word(out)
end

-- Anywhere: the first byte is the buffer's, both sides see what the other writes, and nobody else does.
local status, at = map(p, hp)
expect(status, OK)
expect(word(p:peek(at, 4)), 4)
expect(word(p:peek(at + LAST, 4)), 2559)
expect(p:poke(at + LAST, "user"), OK)
expect(last(p, hp), word("user"))
expect(word(p:peek(at + LAST, 4)), 0x600D)
expect(q:peek(at, 4), nil)
-- The program can neither free nor unmap nor reserve it.
local page = at & ~0xFFF
expect(p:free(page), 0xC000001B)
expect((p:service("NtUnmapViewOfSection", {-1 & 0xFFFFFFFFFFFFFFFF, page})), 0xC0000019)
expect(select(2, p:allocate(0x1000, page)), CONFLICT)
unmap(p, hp)
expect(p:peek(at, 4), nil)

-- At an address: the page asked for, or why not.
local room = assert(p:allocate(0x20000))
expect((map(p, hp, room)), CONFLICT)
expect((map(p, hp, room + 0x1F000)), CONFLICT)
expect((map(p, hp, page + 8)), INVALID_ADDRESS)
expect((map(p, hp, 0x7FFFFFFF0000 + 0x10000)), INVALID_ADDRESS)
expect((map(p, hp, 1 << 63)), INVALID_ADDRESS)
expect(p:free(room), OK)
local status, there = map(p, hp, room + 0x3000)
expect(status, OK)
expect(there & ~0xFFF, room + 0x3000)
expect(word(p:peek(there, 4)), 4)
expect(word(p:peek(there + LAST, 4)), 0x600D)
expect(p:peek(room, 4), nil)
unmap(p, hp)
-- Not to be written to, also not by what the program asks for.
local status, seen = map(p, hp, 0, 0x80000000)
expect(status, OK)
expect(word(p:peek(seen, 4)), 4)
expect(p:poke(seen, "no"), VIOLATION)
unmap(p, hp)
-- The older routine.
local status, out = p:control(hp, code(1), string.rep("\0", 24), 24)
expect(status, OK)
local old = string.unpack("<I8", out)
expect(word(p:peek(old, 4)), 4)
unmap(p, hp)
expect(p:peek(old, 4), nil)

-- A program's buffer at an address that was reserved; two pages fit, three don't.
local buffer = assert(p:allocate(0x3000))
local function turn(offset, bytes)
  return (p:service("NtDeviceIoControlFile", {hp, 0, 0, 0, p.scratch, code(4, 2), 0, 0, buffer + offset, bytes}))
end
p:poke(buffer + 0xFFC, string.pack("<I4I4", 0x12345678, 0))
expect(turn(0xFFC, 8), OK)
expect(p:peek(buffer + 0xFFC, 8), string.pack("<I4I4", 0xEDCBA987, 0xFFFFFFFF))
expect(turn(0, 0x2004), 0x80000005)
expect(turn(0x1000, 0x2000), OK)
expect(word(p:peek(buffer + 0x1000, 4)), 0)

-- A section in two processes, its handle closed.
local status, out = p:control(hp, code(5), string.pack("<I8I8I8", 0, 0, q.id), 24)
expect(status, OK)
local here, other = string.unpack("<I8I8", out)
expect(p:poke(here + 0x1FFF0, "shared"), OK)
expect(q:peek(other + 0x1FFF0, 6), "shared")
expect(q:poke(other, "x"), VIOLATION)
expect(other % 0x10000, 0)

-- What is left in a process when it ends: the mapping goes, the pages stay the driver's; the other's view stays.
local status, left = map(p, hp)
expect(status, OK)
expect((p:control(hp, code(6))), OK)
local job = select(2, p:service("NtCreateJobObject", {p.scratch, 0x1F003F, 0},
  {{address = p.scratch, data = string.pack("<I8", 0)}, {address = p.scratch, bytes = 8}}))
expect((p:service("NtAssignProcessToJobObject", {string.unpack("<I8", job[1]), -1 & 0xFFFFFFFFFFFFFFFF})), OK)
expect((p:control(hp, code(8))), OK)
expect((p:poke(left + LAST, "last")), OK)
p:exit(0)
advance(0.001)
expect(q:peek(other + 0x1FFF0, 6), "shared")
expect(last(q, hq), word("last"))
expect((q:control(hq, code(7))), OK)
local status, counts = q:control(hq, code(9), nil, 48)
expect(status, OK)
local total, active = string.unpack("<I4I4", counts, 37)
expect(total, 1)
expect(active, 0)
-- The same pages for the next program.
local status, again = map(q, hq)
expect(status, OK)
expect(word(q:peek(again + LAST, 4)), 0x600D)
unmap(q, hq)
q:exit(0)
