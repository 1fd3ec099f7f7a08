-- drivers: ends
-- How a program hears of the end of its requests, and what it may choose not to hear.
local SUCCESS, TIMEOUT, NOT_READY = 0, 0x102, 0xC00000A3
local UNTOUCHED = 0x11223344
local p = assert(launch("client.exe"))
local at = p:allocate(0x1000)
local IOSB, IN, OUT, TIME = at, at + 0x100, at + 0x200, at + 0x400
local function code(n) return 0x22 << 16 | (0x800 + n) << 2 end
local function open(overlapped, name, access) return assert(p:open("\\??\\Ends" .. (name or ""), access or 0xC0100000, overlapped and 0 or 0x20)) end
local function number(service, arguments)
  local status, out = p:service(service, arguments, {{address = at + 0x800, bytes = 8}})
  expect(status, SUCCESS, service)
  return (string.unpack("<i8", out[1]))
end
local function signalled(handle)
  return p:service("NtWaitForSingleObject", {handle, 0, TIME}, {{address = TIME, data = string.pack("<i8", 0)}}) == SUCCESS
end
local function control(handle, n, wish, pending, event, context)
  local status, out = p:service("NtDeviceIoControlFile", {handle, event or 0, 0, context or 0, IOSB, code(n), IN, 8, 0, 0}, {
    {address = IOSB, data = string.pack("<I8I8", UNTOUCHED, UNTOUCHED)}, {address = IN, data = string.pack("<I4I4", wish, pending and 1 or 0)},
    {address = IOSB, bytes = 4}})
  return status, (string.unpack("<I4", out[1]))
end
local function set_modes(handle, modes)
  return (p:service("NtSetInformationFile", {handle, IOSB, IN, 4, 41}, {{address = IN, data = string.pack("<I4", modes)}}))
end
local function modes(handle)
  local status, out = p:service("NtQueryInformationFile", {handle, IOSB, OUT, 4, 41}, {{address = OUT, bytes = 4}})
  expect(status, SUCCESS)
  return (string.unpack("<I4", out[1]))
end

-- A file just opened is signalled; a request that goes by an event of its own leaves it reset.
local event = number("NtCreateEvent", {at + 0x800, 0x1F0003, 0, 0, 0})
local h = open(true)
expect(signalled(h))
expect(control(h, 0, SUCCESS, false, event), SUCCESS)
expect(signalled(event) and not signalled(h))

-- A port: a packet for each end that the service's return does not tell alone.
local port = number("NtCreateIoCompletion", {at + 0x800, 0x1F0003, 0, 0})
expect((p:service("NtSetInformationFile", {h, IOSB, IN, 16, 30}, {{address = IN, data = string.pack("<I8I8", port, 7)}})), SUCCESS)
local function packets()
  local n = 0
  while p:service("NtRemoveIoCompletion", {port, OUT, OUT + 8, OUT + 16, TIME}, {{address = TIME, data = string.pack("<i8", 0)}}) == SUCCESS do n = n + 1 end
  return n
end
local function told(wish, pending)
  control(h, 0, wish, pending, event, 9)
  return packets()
end
local WARNING, FAILURE = 0x80000005, 0xC0000001
local function all() return told(SUCCESS), told(SUCCESS, true), told(WARNING), told(FAILURE), told(FAILURE, true) end
expect(table.concat({all()}, " "), "1 1 1 0 1")
expect(modes(h), 0)
expect(set_modes(h, 1), SUCCESS)
expect(table.concat({all()}, " "), "0 1 1 0 1", "FILE_SKIP_COMPLETION_PORT_ON_SUCCESS")
expect(set_modes(h, 0), SUCCESS)
expect(modes(h), 1, "a mode stays")
expect(set_modes(h, 8), 0xC000000D)

-- FILE_SKIP_SET_EVENT_ON_HANDLE
local quiet = open(true)
expect(control(quiet, 0, SUCCESS), SUCCESS)
expect(signalled(quiet))
expect(set_modes(quiet, 2), SUCCESS)
expect(control(quiet, 0, SUCCESS), SUCCESS)
expect(not signalled(quiet))
expect(control(quiet, 0, SUCCESS, false, event), SUCCESS)
expect(signalled(event))

-- FILE_SKIP_SET_USER_EVENT_ON_FAST_IO
expect(control(quiet, 1, 0, false, event), SUCCESS)
expect(signalled(event))
expect(set_modes(quiet, 4), SUCCESS)
expect(modes(quiet), 6)
expect(control(quiet, 1, 0, false, event), SUCCESS)
expect(not signalled(event))
expect(control(quiet, 0, SUCCESS, false, event), SUCCESS)
expect(signalled(event))

-- A failed query: told by the return alone, and in the status block if it was pending and the file is not synchronous.
local function volume(handle, class)
  local status, out = p:service("NtQueryVolumeInformationFile", {handle, IOSB, OUT, 64, class},
    {{address = IOSB, data = string.pack("<I8I8", UNTOUCHED, UNTOUCHED)}, {address = IOSB, bytes = 4}})
  return status, (string.unpack("<I4", out[1]))
end
local function query(handle, class, status, block)
  local got, told = volume(handle, class)
  expect(got, status)
  expect(told, block)
end
query(open(false), 3, SUCCESS, SUCCESS)
query(open(false), 5, 0xC0000002, UNTOUCHED)
query(open(true), 5, 0xC0000002, UNTOUCHED)
query(open(false), 7, NOT_READY, UNTOUCHED)
query(open(true), 7, NOT_READY, NOT_READY)
expect((p:service("NtQueryInformationFile", {h, IOSB, OUT, 64, 4}, {{address = IOSB, data = string.pack("<I8", UNTOUCHED)}})), 0xC0000010)
expect(string.unpack("<I4", p:peek(IOSB, 4)), UNTOUCHED)

-- Opened by its bare name for a look: the device, not a volume on it.
query(open(false, nil, 0x100080), 3, 0xC0000010, UNTOUCHED)
query(open(false, "\\", 0x100080), 3, SUCCESS, SUCCESS)
query(open(false, nil, 0x100080), 4, SUCCESS, SUCCESS) -- FileFsDeviceInformation is the I/O manager's own

-- What points into an answer points into the program's buffer.
local function text(class)
  local status, out = p:service("NtQueryObject", {h, class, OUT, 256, 0}, {{address = OUT, bytes = 256}})
  expect(status, SUCCESS)
  local length, _, where = string.unpack("<I2I2xxxxI8", out[1])
  expect(where > OUT and where + length <= OUT + 256, true, "the name lies in the buffer")
  return (p:peek(where, length):gsub("\0", ""))
end
expect(text(1), "\\Device\\Ends")
expect(text(2), "File")
