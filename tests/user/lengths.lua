-- drivers: echo
-- Lengths of 0 and of 2^32 - 1, wild pointers, wrong and stale handles, names that can't be: each gets its status, and the
-- program and the machine go on.
local p = assert(launch("client.exe"))
local s, h = p.scratch, assert(p:open("\\??\\Echo"))
local all, wild = 0xFFFFFFFF, 0x7000
local function control(handle, n, method, at, bytes, out, room)
  return (p:service("NtDeviceIoControlFile", {handle, 0, 0, 0, s, 0x22 << 16 | (0x800 + n) << 2 | method, at, bytes, out, room}))
end
local function is(status, want, what)
  assert(status == want, string.format("%s: 0x%08X, not 0x%08X", what, status, want))
end
-- buffered: input of any length is only looked at when it is copied, and no pool has 4 GiB; output must be writable
is(control(h, 0, 0, 0, 0, 0, 0), 0, "nothing in, nothing out")
is(control(h, 0, 0, s + 64, all, s + 128, 8), 0xC000009A, "4 GiB in")
is(control(h, 0, 0, s + 64, 8, s + 128, all), 0xC0000005, "4 GiB out")
is(control(h, 0, 0, wild, 8, s + 128, 8), 0xC0000005, "input that is not there")
is(control(h, 0, 0, s + 64, 8, wild, 8), 0xC0000005, "output that is not there")
is(control(h, 0, 0, -8, 8, s + 128, 8), 0xC0000005, "input in kernel mode")
is(control(h, 0, 0, s + 64, 8, 0x100000000000, 8), 0xC0000005, "output in kernel mode")
-- direct: no MDL is that long, and none is made of pages that are not there
is(control(h, 1, 2, s + 64, 8, s + 128, all), 0xC000009A, "4 GiB out, direct")
is(control(h, 1, 2, s + 64, 8, wild, 8), 0xC0000005, "output that is not there, direct")
-- the status block and the handle
is((p:service("NtDeviceIoControlFile", {h, 0, 0, 0, wild, 0x22 << 16 | 0x800 << 2, 0, 0, 0, 0})), 0xC0000005, "status block")
is(control(0, 0, 0, 0, 0, 0, 0), 0xC0000008, "no handle")
is(control(h + 4000, 0, 0, 0, 0, 0, 0), 0xC0000008, "a handle nobody gave out")
local status, out = p:service("NtCreateEvent", {s, 0x1F0003, 0, 0, 0}, {{address = s, bytes = 8}})
local event = string.unpack("<i8", out[1])
is(status, 0, "an event")
is(control(event, 0, 0, 0, 0, 0, 0), 0xC0000024, "an event's handle")
is((p:service("NtSetEvent", {h, 0})), 0xC0000024, "a file's handle")
is(p:close(event), 0, "closed")
is(p:close(event), 0xC0000008, "closed twice")
is((p:service("NtSetEvent", {event, 0})), 0xC0000008, "a stale handle")
-- names: the string's length counts, whatever lies behind it
local function open(length, name, bytes, attributes_length)
  return (p:service("NtOpenFile", {s, 0x100000, s + 64, s + 128, 7, 0x20}, {
    {address = s + 64, data = string.pack("<I4I4i8i8I4I4i8i8", attributes_length or 48, 0, 0, s + 256, 0x40, 0, 0, 0)},
    {address = s + 256, data = string.pack("<I2I2I4i8", length, bytes or length, 0, s + 512)},
    {address = s + 512, data = name}}))
end
local function wide(text) return (text:gsub(".", "%0\0")) end
local name = "\\??\\Echo"
is(open(2 * #name, wide(name .. "xyz")), 0, "a name without terminator")
is(open(2 * #name - 1, wide(name)), 0xC0000033, "a name of an odd length")
is(open(0, ""), 0xC000003B, "no name")
is(open(2 * #name, wide(name), nil, 47), 0xC000000D, "attributes of another length")
is((p:service("NtOpenFile", {s, 0x100000, wild, s + 128, 7, 0x20})), 0xC0000005, "attributes that are not there")
-- and still
is(control(h, 0, 0, s + 64, 8, s + 128, 8), 0, "the end")
-- the machine's memory is the kernel's: a program gets no view of it
local memory = "\\Device\\PhysicalMemory"
status, out = p:service("NtOpenSection", {s, 4, s + 64}, {
  {address = s + 64, data = string.pack("<I4I4i8i8I4I4i8i8", 48, 0, 0, s + 256, 0x40, 0, 0, 0)},
  {address = s + 256, data = string.pack("<I2I2I4i8", 2 * #memory, 2 * #memory, 0, s + 512)},
  {address = s + 512, data = wide(memory)}, {address = s, bytes = 8}})
is(status, 0, "the section of the machine's memory")
local section = string.unpack("<i8", out[1])
is((p:service("NtMapViewOfSection", {section, -1, s, 0, 4096, s + 8, s + 16, 1, 0, 2}, {
  {address = s, data = string.pack("<i8i8i8", 0, 0x10000, 4096)}})), 0xC0000022, "a view of it")
