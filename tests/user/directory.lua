-- drivers: echo
-- A program lists a directory: into its own buffer, with and without a pattern, entry by entry, and with bad buffers.
local p = assert(launch("client.exe"))
local at = p:allocate(0x4000)
local IOSB, OUT, NAME = at, at + 0x1000, at + 0x3000
for _, name in ipairs{"one.txt", "two.txt", "three.c"} do expect(write_file(name, name), 0) end
local folder = assert(p:open("\\??\\C:\\", 0x100001, 0x21, 1))
local BOTH, VIOLATION = 3, 0xC0000005
local function list(single, pattern, restart, iosb, out)
  local copies = {{address = IOSB, data = string.pack("<I8I8", 0, 0)}}
  if pattern then
    local wide = pattern:gsub(".", "%0\0")
    copies[2] = {address = NAME, data = string.pack("<I2I2I4I8", #wide, #wide, 0, NAME + 16) .. wide}
  end
  local status = p:service("NtQueryDirectoryFile", {folder, 0, 0, 0, iosb or IOSB, out or OUT, 0x1000, BOTH, single and 1 or 0,
    pattern and NAME or 0, restart and 1 or 0}, copies)
  local names, where = {}, OUT
  local bytes = string.unpack("<I8", p:peek(IOSB, 16), 9)
  while status == 0 and bytes > 0 do
    local next = string.unpack("<I4", p:peek(where, 4))
    local length = string.unpack("<I4", p:peek(where + 60, 4))
    names[#names + 1] = p:peek(where + 94, length):gsub("\0", "")
    if next == 0 then break end
    where = where + next
  end
  return status, table.concat(names, " ")
end
local function listed(status, names, ...)
  local got, seen = list(...)
  expect(got, status)
  expect(seen, names)
end
listed(0, "one.txt", true, "*.txt", true)
listed(0, "two.txt", true)
listed(0x80000006, "", true)
listed(0, "one.txt two.txt", false, nil, true)
listed(VIOLATION, "", false, nil, true, nil, 0x7FFFFFFF0000)
listed(VIOLATION, "", false, nil, true, 0x7FFFFFFF0000)
