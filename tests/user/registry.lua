-- drivers: echo
-- The registry as a program uses it: keys and values, bad buffers, what security allows, notification, hives and privileges.
local utf16 = function(text) return (text:gsub(".", "%0\0")) end
local p = assert(launch("client.exe"))
local s = p.scratch
local pack, unpack = string.pack, string.unpack
local DENIED, FAULT, UNPRIVILEGED = 0xC0000022, 0xC0000005, 0xC0000061

-- copies for an OBJECT_ATTRIBUTES at `at`, its name behind it
local function attributes(at, name, root)
  local text = utf16(name)
  return {address = at, data = pack("<I4I4i8i8I4I4i8i8", 48, 0, root or 0, at + 0x30, 0x40, 0, 0, 0) ..
    pack("<I2I2I4i8", #text, #text, 0, at + 0x40) .. text}
end
local function text(at, value)
  local t = utf16(value)
  return {address = at, data = pack("<I2I2I4i8", #t, #t, 0, at + 0x10) .. t}
end
local function handle(status, out)
  if status ~= 0 then return nil, status end
  return (unpack("<i8", out[1]))
end
local function open(name, access, root)
  return handle(p:service("NtOpenKey", {s, access or 0x20019, s + 0x20}, {attributes(s + 0x20, name, root), {address = s, bytes = 8}}))
end
local function create(name, access, root)
  local status, out = p:service("NtCreateKey", {s, access or 0xF003F, s + 0x20, 0, 0, 0, s + 8},
    {attributes(s + 0x20, name, root), {address = s, bytes = 12}})
  return handle(status, out), status == 0 and unpack("<I4", out[1], 9) or status
end
local function set(key, name, kind, data)
  return (p:service("NtSetValueKey", {key, s + 0x300, 0, kind, s + 0x400, #data}, {text(s + 0x300, name), {address = s + 0x400, data = data .. "\0"}}))
end
local function query(key, name, room)
  local status, out = p:service("NtQueryValueKey", {key, s + 0x300, 2, s + 0x600, room or 256, s + 0x7f0},
    {text(s + 0x300, name), {address = s + 0x600, bytes = 256}, {address = s + 0x7f0, bytes = 4}})
  if not out then return status end
  local length = unpack("<I4", out[2])
  return status, length, out[1]
end

-- keys and values
local base = [[\Registry\Machine\SOFTWARE\Program]]
local key, disposition = assert(create(base))
expect(disposition, 1)
expect(select(2, create(base)), 2)
expect(set(key, "One", 4, pack("<I4", 77)), 0)
local status, length, data = query(key, "One")
expect(status, 0)
expect(length, 16)
expect(unpack("<I4", data, 13), 77)
expect(registry_get([[HKLM\SOFTWARE\Program]], "One"), 77)
expect(query(key, "None"), 0xC0000034)
expect(query(key, "One", 4), 0xC0000023)  -- less than the fixed part
status, length = query(key, "One", 14)    -- less than all
expect(status, 0x80000005)
expect(length, 16)
local sub = assert(create("Sub", nil, key))
status, data = p:service("NtEnumerateKey", {key, 0, 0, s + 0x600, 256, s + 0x7f0}, {{address = s + 0x600, bytes = 32}})
expect(status, 0)
expect(data[1]:sub(17, 22), utf16("Sub"))
expect(p:service("NtDeleteKey", {key}), 0xC0000121)
expect(p:service("NtDeleteKey", {sub}), 0)
expect(set(sub, "x", 4, "1234"), 0xC000017C)

-- pointers that are none
expect(p:service("NtSetValueKey", {key, 0x1000, 0, 4, s, 4}), FAULT)
expect(p:service("NtSetValueKey", {key, s + 0x300, 0, 3, 0, 4}, {text(s + 0x300, "x")}), FAULT)
expect(p:service("NtSetValueKey", {key, s + 0x300, 0, 3, 0x7000, 4}, {text(s + 0x300, "x")}), FAULT)
expect(p:service("NtQueryValueKey", {key, s + 0x300, 2, 0, 256, s + 0x7f0}, {text(s + 0x300, "One")}), FAULT)
expect(p:service("NtQueryValueKey", {key, s + 0x300, 2, s + 0x600, 256, 0}, {text(s + 0x300, "One")}), FAULT)
expect(p:service("NtQueryKey", {key, 2, 0x7000, 256, s + 0x7f0}), FAULT)
expect(p:service("NtEnumerateValueKey", {key, 0, 1, -4096, 256, s + 0x7f0}), FAULT)
expect(p:service("NtOpenKey", {s, 0x20019, 0}), 0xC000000D)
expect(p:service("NtOpenKey", {s, 0x20019, 0x1000}), FAULT)
expect(p:service("NtOpenKey", {0x1000, 0x20019, s + 0x20}, {attributes(s + 0x20, base)}), FAULT)
expect(p:service("NtNotifyChangeKey", {key, 0, 0, 0, 0x1000, 4, 0, 0, 0, 1}), FAULT)
expect(p:service("NtDeleteKey", {0x1234}), 0xC0000008)

-- a handle is good for what it was opened for, and that is what security gives
local read = assert(open(base))
expect(set(read, "x", 4, "1234"), DENIED)
expect(query(read, "One"), 0)
expect(select(2, open([[\Registry\Machine\SECURITY]])), DENIED)
assert(open([[\Registry\Machine\SECURITY]], 0x20000))
expect(select(2, open(base, 0x1000000)), UNPRIVILEGED)
expect(p:service("NtQuerySecurityObject", {read, 4, s + 0x600, 256, s + 0x7f0}), 0)
expect(p:service("NtSetSecurityObject", {read, 4, s + 0x600}), DENIED)

-- notification: by an event, and by a procedure
local event = assert(handle(p:service("NtCreateEvent", {s, 0x1F0003, 0, 0, 0}, {{address = s, bytes = 8}})))
p:poke(s + 0x7d0, pack("<i8i8", 0x55, 0x55))
expect(p:service("NtNotifyChangeKey", {key, event, 0x40001000, 99, s + 0x7d0, 4, 0, 0, 0, 1}), 0x103)
expect(unpack("<i8", p:peek(s + 0x7d0, 8)), 0x55)
expect(set(key, "Two", 1, utf16("two")), 0)
expect(unpack("<I4", p:peek(s + 0x7d0, 4)), 0x10C)
local status, _, apcs = p:service("NtDelayExecution", {1, s + 0x400}, {{address = s + 0x400, data = pack("<i8", -1000)}})
expect(status, 0xC0)
expect(#apcs, 1)
expect(apcs[1][2], 99)
expect(apcs[1][3], s + 0x7d0)
expect(p:service("NtWaitForSingleObject", {event, 0, 0}), 0)
-- one that waits ends with its program
local q = assert(launch("waits.exe"))
local there = [[\Registry\Machine\SOFTWARE]]
local mine = assert(handle(q:service("NtOpenKey", {q.scratch, 0x20019, q.scratch + 0x20},
  {attributes(q.scratch + 0x20, there), {address = q.scratch, bytes = 8}})))
local status, _, _, slot = q:service("NtNotifyChangeKey", {mine, 0, 0, 0, q.scratch + 0x200, 1, 0, 0, 0, 0}, {}, {limit = 10000000})
expect(status, 0x103)
q:exit(0)

-- hives want privileges, and a program has to enable them
local function privilege(number, on)
  local token = assert(handle(p:service("NtOpenProcessToken", {-1, 0x28, s}, {{address = s, bytes = 8}})))
  expect(p:service("NtAdjustPrivilegesToken", {token, 0, s + 0x10, 0, 0, 0}, {{address = s + 0x10, data = pack("<I4I4i4I4", 1, number, 0, on and 2 or 0)}}), 0)
  expect(p:service("NtClose", {token}), 0)
end
local file = assert(p:open([[\??\C:\program.hiv]], 0xC0100000, 0x20, 5))
expect(p:service("NtSaveKey", {key, file}), UNPRIVILEGED)
privilege(17, true)
expect(p:service("NtSaveKey", {key, file}), 0)
p:close(file)
local function load(name) return (p:service("NtLoadKey", {s + 0x20, s + 0x200}, {attributes(s + 0x20, name), attributes(s + 0x200, [[\??\C:\program.hiv]])})) end
local function unload(name) return (p:service("NtUnloadKey", {s + 0x20}, {attributes(s + 0x20, name)})) end
expect(load([[\Registry\Machine\Program]]), UNPRIVILEGED)
privilege(18, true)
expect(load([[\Registry\Machine\Program]]), 0)
expect(registry_get([[HKLM\Program]], "One"), 77)
local loaded = assert(open([[\Registry\Machine\Program]]))
expect(unload([[\Registry\Machine\Program]]), 0xC0000121)
p:close(loaded)
expect(unload([[\Registry\Machine\Program]]), 0)
expect(registry_get([[HKLM\Program]], "One"), nil)

-- the time is a privilege, too
local function time() return (unpack("<i8", select(2, p:service("NtQuerySystemTime", {s}, {{address = s, bytes = 8}}))[1])) end
local now = time()
local function settime(t) return p:service("NtSetSystemTime", {s, s + 8}, {{address = s, data = pack("<i8i8", t, 0)}, {address = s + 8, bytes = 8}}) end
expect(settime(now + 1000000000), UNPRIVILEGED)
privilege(12, true)
local status, out = settime(now + 1000000000)
expect(status, 0)
expect(unpack("<i8", out[1]) - now < 1000)
expect(time() - now >= 1000000000)
expect(settime(-1), 0xC000000D)
expect(set_time(now) - now >= 1000000000)
expect(time() - now < 1000)
