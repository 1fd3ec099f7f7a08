--[[
The registry for scenarios. One function in C sends an operation to the machine and brings its answer (registry.c); the
numbers of operations are those of door.h (DOOR_REGISTRY_...). docs/scenarios.md says what each function is for.
]]
local send, utf16, utf8 = __registry, __utf16, __utf8
__registry, __utf16, __utf8 = nil, nil, nil
local CREATE, SET, DELETE_VALUE, DELETE_KEY, GET, LIST, COUNTERS = 1, 2, 3, 4, 5, 6, 10
local pack, unpack = string.pack, string.unpack

local names = {
  [0] = 'REG_NONE', 'REG_SZ', 'REG_EXPAND_SZ', 'REG_BINARY', 'REG_DWORD', 'REG_DWORD_BIG_ENDIAN', 'REG_LINK', 'REG_MULTI_SZ',
  'REG_RESOURCE_LIST', 'REG_FULL_RESOURCE_DESCRIPTOR', 'REG_RESOURCE_REQUIREMENTS_LIST', 'REG_QWORD',
}
local numbers = {}
for number, name in pairs(names) do numbers[name] = number end

local text = {REG_SZ = true, REG_EXPAND_SZ = true, REG_LINK = true}
local integer = {REG_DWORD = '<I4', REG_DWORD_BIG_ENDIAN = '>I4', REG_QWORD = '<i8'}
local roots = {HKLM = 'MACHINE', HKEY_LOCAL_MACHINE = 'MACHINE', HKU = 'USER', HKEY_USERS = 'USER'}

-- Without its \Registry\, as the machine wants it
local function below_root(key)
  if type(key) ~= 'string' then error("a key's name expected", 3) end
  if key:sub(1, 10):lower() == '\\registry\\' then return key:sub(11) end
  local first, rest = key:match('^([^\\]*)(.*)$')
  local root = roots[first:upper()] or error("'" .. key .. "' begins with none of HKLM\\, HKU\\, \\Registry\\", 3)
  return root .. rest
end

local function usual_type(data)
  if type(data) == 'table' then return 'REG_MULTI_SZ' end
  if type(data) == 'string' then return 'REG_SZ' end
  return data >= 0 and data <= 0xffffffff and 'REG_DWORD' or 'REG_QWORD'
end

local function encode(data, name)
  if integer[name] and math.type(data) == 'integer' then
    return pack(integer[name], name == 'REG_QWORD' and data or data & 0xffffffff)
  elseif text[name] and type(data) == 'string' then
    return utf16(data .. '\0')
  elseif name == 'REG_MULTI_SZ' and type(data) == 'table' then
    return utf16(#data > 0 and table.concat(data, '\0') .. '\0\0' or '\0')
  elseif type(data) == 'string' and not integer[name] and name ~= 'REG_MULTI_SZ' then
    return data
  end
  error('data that are no ' .. name, 3)
end

-- What doesn't have its type's length is given as its bytes
local function decode(data, name)
  if integer[name] and #data == string.packsize(integer[name]) then return (unpack(integer[name], data)) end
  if #data % 2 == 0 and text[name] then return (utf8(data):gsub('\0$', '')) end
  if #data % 2 == 0 and name == 'REG_MULTI_SZ' then
    local list = {}
    for part in utf8(data):gmatch('[^\0]+') do list[#list + 1] = part end
    return list
  end
  return data
end

function registry_get(key, value)
  local status, answer = send(GET, below_root(key), value)
  if not answer[1] then return nil, status end
  local name = names[answer[1].type]
  return decode(answer[1].data, name), name or answer[1].type
end

function registry_set(key, value, data, kind)
  local path = below_root(key)
  if value == nil and data == nil then return (send(CREATE, path)) end
  if math.type(kind) == 'integer' then
    if type(data) ~= 'string' then error('with a number as type the data are bytes, a string', 2) end
    return (send(SET, path, value, kind, data))
  end
  if type(data) ~= 'string' and type(data) ~= 'table' and math.type(data) ~= 'integer' then
    error('data expected: a string, an integer or a list of strings', 2)
  end
  kind = kind or usual_type(data)
  local number = numbers[kind] or error('no type ' .. tostring(kind), 2)
  return (send(SET, path, value, number, encode(data, kind)))
end

function registry_delete(key, value)
  return (send(value and DELETE_VALUE or DELETE_KEY, below_root(key), value))
end

function registry_list(key)
  local status, answer = send(LIST, below_root(key))
  if status >= 0x80000000 then return nil, status end
  local keys, values = {}, {}
  for _, entry in ipairs(answer) do
    local list = entry.op == CREATE and keys or values
    list[#list + 1] = entry.name
  end
  return keys, values
end

-- Instances in order, each with its counters by number
local function collect(set, instances, values)
  if type(set) ~= 'string' or set == '' then error("a counter set's name expected", 3) end
  local status, answer = send(COUNTERS, set, instances or '*', values)
  if status >= 0x80000000 then return nil, status end
  local list = {}
  for _, entry in ipairs(answer) do
    if entry.op == CREATE then
      list[#list + 1] = {name = entry.name, id = entry.type}
    else
      list[#list][math.tointeger(entry.name)] = decode(entry.data, names[entry.type])
    end
  end
  return list
end

function counters(set, instances) return collect(set, instances, 1) end
function counter_instances(set, instances) return collect(set, instances, 0) end
