-- drivers: queue
-- Overlapped requests: by event, by completion port, by procedure; cancelled, and waited for in vain.
local function code(n) return 0x22 << 16 | (0x800 + n) << 2 end
local p = assert(launch("client.exe"))
local s = p.scratch
local h, control = assert(p:open("\\??\\Queue", nil, 0)), assert(p:open("\\??\\Queue"))
local function post(event, apc, context, iosb, out)
  p:poke(iosb, string.pack("<i8i8", 0x103, 0))
  return (p:service("NtDeviceIoControlFile", {h, event, apc, context, iosb, code(0), 0, 0, out, out ~= 0 and 4 or 0}))
end
local function word(at) return (string.unpack("<I4", p:peek(at, 4))) end
local function release() assert(p:control(control, code(2)) == 0) end
-- an event
local status, out = p:service("NtCreateEvent", {s, 0x1F0003, 0, 0, 0}, {{address = s, bytes = 8}})
assert(status == 0)
local event = string.unpack("<i8", out[1])
assert(post(event, 0, 0, s + 0x200, s + 0x300) == 0x103)
assert(word(s + 0x200) == 0x103)
local function wait(handle, time)
  return (p:service("NtWaitForSingleObject", {handle, 0, s + 0x400}, {{address = s + 0x400, data = string.pack("<i8", -time)}}))
end
assert(wait(event, 1000) == 0x102)
release()
assert(wait(event, 1000) == 0 and word(s + 0x200) == 0 and word(s + 0x208) == 4 and word(s + 0x300) == 0x1234)
-- cancelled: by its status block, by all of the thread
assert(post(event, 0, 0, s + 0x200, 0) == 0x103 and post(event, 0, 0, s + 0x220, 0) == 0x103)
assert(p:service("NtCancelIoFileEx", {h, s + 0x220, s + 0x240}) == 0)
assert(word(s + 0x220) == 0xC0000120 and word(s + 0x200) == 0x103)
assert(p:service("NtCancelIoFileEx", {h, s + 0x220, s + 0x240}) == 0xC0000225)
assert(p:service("NtCancelIoFile", {h, s + 0x240}) == 0 and word(s + 0x200) == 0xC0000120)
-- a procedure, which runs when the thread is alertable
assert(post(0, 0x40001000, 77, s + 0x200, s + 0x300) == 0x103)
release()
assert(word(s + 0x200) == 0)
local status, _, apcs = p:service("NtDelayExecution", {1, s + 0x400}, {{address = s + 0x400, data = string.pack("<i8", -1000)}})
assert(status == 0xC0 and #apcs == 1 and apcs[1][1] == 0x40001000 and apcs[1][2] == 77 and apcs[1][3] == s + 0x200)
-- a completion port
status, out = p:service("NtCreateIoCompletion", {s, 0x1F0003, 0, 0}, {{address = s, bytes = 8}})
local port = string.unpack("<i8", out[1])
assert(status == 0)
assert(p:service("NtSetInformationFile", {h, s + 0x200, s + 0x210, 16, 30}, {{address = s + 0x210, data = string.pack("<i8i8", port, 99)}}) == 0)
assert(post(0, 0x40001000, 77, s + 0x200, 0) == 0xC000000D, "one or the other")
assert(post(0, 0, 55, s + 0x200, s + 0x300) == 0x103)
release()
status, out = p:service("NtRemoveIoCompletion", {port, s + 0x500, s + 0x508, s + 0x510, s + 0x400}, {{address = s + 0x400, data = string.pack("<i8", -1000)},
  {address = s + 0x500, bytes = 32}})
local key, context, result, information = string.unpack("<i8i8i8i8", out[1])
assert(status == 0 and key == 99 and context == 55 and result == 0 and information == 4)
assert(p:service("NtRemoveIoCompletion", {port, s + 0x500, s + 0x508, s + 0x510, s + 0x400}) == 0x102)
assert(p:service("NtSetIoCompletion", {port, 1, 2, 3, 4}) == 0)
status, out = p:service("NtRemoveIoCompletion", {port, s + 0x500, s + 0x508, s + 0x510, 0}, {{address = s + 0x500, bytes = 32}})
assert(status == 0 and string.unpack("<i8", out[1]) == 1)
-- a synchronous request that nobody completes: the program ends, which cancels it
local q = assert(launch("stuck.exe"))
local hq = assert(q:open("\\??\\Queue"))
local status, _, _, slot = q:service("NtDeviceIoControlFile", {hq, 0, 0, 0, q.scratch, code(0), 0, 0, 0, 0}, {}, {limit = 10000000})
assert(status == 0x103 and slot)
status, out = p:service("NtOpenProcess", {s, 1, s + 0x600, s + 0x640}, {{address = s + 0x600, data = string.pack("<I4I4i8i8I4I4i8i8", 48, 0, 0, 0, 0, 0, 0, 0)},
  {address = s + 0x640, data = string.pack("<i8i8", q.id, 0)}, {address = s, bytes = 8}})
assert(status == 0, status)
assert(p:service("NtTerminateProcess", {(string.unpack("<i8", out[1])), 5}) == 0)
advance(0.001)
assert(q:collect(slot) == 0xC0000120)
-- bad buffers, bad handles
assert(p:service("NtDeviceIoControlFile", {h, 0, 0, 0, 0, code(1), 0, 0, s, 8}) == 0xC0000005)
assert(p:service("NtDeviceIoControlFile", {h, 0, 0, 0, s + 4, code(1), 0, 0, s, 8}) == 0x80000002)
assert(p:service("NtDeviceIoControlFile", {h, 0, 0, 0, s, code(1), 0, 0, 0x7000, 8}) == 0xC0000005)
assert(p:service("NtDeviceIoControlFile", {h, 0, 0, 0, s, code(1), 0x100000000000, 8, 0, 0}) == 0xC0000005)
assert(p:service("NtDeviceIoControlFile", {-0x7ffffffc, 0, 0, 0, s, code(1), 0, 0, s, 8}) == 0xC0000008)
assert(p:service("NtClose", {0x7777}) == 0xC0000008)
