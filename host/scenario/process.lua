--[[
User processes for scenarios, and the machine's files through one of them. Two functions in C carry everything
(process.c); the numbers of `kind` are those of door.h (DOOR_CALL_...). docs/scenarios.md says what each function is for.
]]
local call, collect, services = __call, __collect, __services
__call, __collect, __services = nil, nil, nil
local pack, unpack, utf16 = string.pack, string.unpack, __utf16

local Process = {}
Process.__index = Process
Process.__name = 'process'

function Process.__tostring(p) return 'process ' .. p.id end

-- One service, with arguments as user mode passes them; copies: {address=, data=} before, {address=, bytes=} after it
function Process.service(p, name, arguments, copies, options)
  options = options or {}
  local number = services[name] or error('no service ' .. tostring(name), 2)
  local status, value, out, apcs, slot = call{
    kind = 3, process = p.id, thread = options.thread, wait = not options.post, limit = options.limit,
    service = number, arguments = arguments, copies = copies,
  }
  return status, out, apcs, slot
end

function Process.collect(p, slot)
  local status, value, out, apcs, again = collect(slot)
  return status, out, apcs, again
end

function Process.poke(p, address, data)
  return (call{kind = 4, process = p.id, wait = true, copies = {{address = address, data = data}}})
end

function Process.peek(p, address, bytes)
  local status, _, out = call{kind = 4, process = p.id, wait = true, copies = {{address = address, bytes = bytes}}}
  if status >= 0x80000000 then return nil, status end
  return out[1]
end

function Process.allocate(p, bytes, address, protection, kind)
  local b = p.scratch
  local status, out = p:service('NtAllocateVirtualMemory', {-1, b, 0, b + 8, kind or 0x3000, protection or 4},
    {{address = b, data = pack('<i8i8', address or 0, bytes)}, {address = b, bytes = 8}})
  if status >= 0x80000000 then return nil, status end
  return (unpack('<i8', out[1]))
end

function Process.free(p, address, bytes)
  local b = p.scratch
  return (p:service('NtFreeVirtualMemory', {-1, b, b + 8, bytes and 0x4000 or 0x8000},
    {{address = b, data = pack('<i8i8', address, bytes or 0)}}))
end

function Process.open(p, path, access, options, disposition)
  local b, name = p.scratch, utf16(path)
  local arguments = {b, access or 0xC0100000, b + 0x20, b + 0x10, 0, 0x80, 3, disposition or 1, options or 0x20, 0, 0}
  local status, out = p:service('NtCreateFile', arguments, {
    {address = b + 0x20, data = pack('<I4I4i8i8I4I4i8i8', 48, 0, 0, b + 0x50, 0x40, 0, 0, 0)}, -- OBJECT_ATTRIBUTES
    {address = b + 0x50, data = pack('<I2I2I4i8', #name, #name, 0, b + 0x60)},                 -- UNICODE_STRING
    {address = b + 0x60, data = name},
    {address = b, bytes = 8},
  })
  if status >= 0x80000000 then return nil, status end
  return (unpack('<i8', out[1]))
end

function Process.close(p, handle) return (p:service('NtClose', {handle})) end

local function buffer(p, bytes)
  if bytes > p.room then
    local address = p:allocate(bytes) or error('the process has no memory for ' .. bytes .. ' bytes', 3)
    p.buffer, p.room = address, bytes
  end
  return p.buffer
end

-- status, output, number of bytes the driver says
function Process.control(p, handle, code, input, room, service)
  local b, input, room = p.scratch, input or '', room or 0
  local at = buffer(p, #input + room + 16)
  local out = at + (#input + 15 & ~15)
  local arguments = {handle, 0, 0, 0, b, code, #input > 0 and at or 0, #input, room > 0 and out or 0, room}
  local status, copied = p:service(service or 'NtDeviceIoControlFile', arguments, {
    {address = at, data = input},
    {address = b, data = pack('<i8i8', 0, 0)},
    {address = b, bytes = 16},
    {address = out, bytes = room},
  })
  local _, information = unpack('<i8i8', copied[1])
  return status, (copied[2] or ''):sub(1, information), information
end

local function transfer(p, service, handle, at, bytes, offset, copies)
  local b = p.scratch
  table.insert(copies, 1, {address = b, data = pack('<i8i8i8', 0, 0, offset or 0)})
  table.insert(copies, {address = b, bytes = 16})
  local status, out = p:service(service, {handle, 0, 0, 0, b, at, bytes, offset and b + 16 or 0, 0}, copies)
  return status, out, (select(2, unpack('<i8i8', out[#out])))
end

function Process.read(p, handle, bytes, offset)
  local at = buffer(p, bytes)
  local status, out, information = transfer(p, 'NtReadFile', handle, at, bytes, offset, {{address = at, bytes = bytes}})
  return status, out[1]:sub(1, information)
end

function Process.write(p, handle, data, offset)
  local at = buffer(p, #data)
  local status, _, information = transfer(p, 'NtWriteFile', handle, at, #data, offset, {{address = at, data = data}})
  return status, information
end

function Process.exit(p, status)
  return (p:service('NtTerminateProcess', {-1, status or 0}))
end

function Process.crash(p, code)
  return (call{kind = 5, process = p.id, wait = true, arguments = {code or 0xC0000005}})
end

function launch(image, options)
  options = options or {}
  local status, id, _, _, _, thread, stack = call{
    kind = 1, process = options.parent and options.parent.id or 4, wait = true,
    arguments = {options.wow64 and 1 or 0}, text = image .. '\0' .. (options.command_line or '') .. '\0',
  }
  if status >= 0x80000000 then return nil, status end
  return setmetatable({id = id, thread = thread, scratch = stack, room = 0}, Process)
end

-- Files of the machine, by a process of the scenario's own: no more than a program there could do
local own
local function file(path, access, disposition)
  if not own then own = assert(launch('scenario.exe')) end
  local name = path:match('^%a:') and path or 'C:\\' .. path
  return own:open('\\??\\' .. name:gsub('/', '\\'), access, 0x60, disposition)
end

function read_file(path)
  local handle, status = file(path, 0x80100000)
  if not handle then return nil, status end
  local parts, at = {}, 0
  repeat
    local status, part = own:read(handle, 65536, at)
    if status ~= 0 then part = '' end
    parts[#parts + 1] = part
    at = at + #part
  until #part == 0
  own:close(handle)
  return table.concat(parts)
end

function write_file(path, data)
  local handle, status = file(path, 0x40100000, 5)
  if not handle then return status end
  for at = 0, #data - 1, 65536 do
    status = own:write(handle, data:sub(at + 1, at + 65536), at)
    if status ~= 0 then break end
  end
  own:close(handle)
  return status or 0
end
