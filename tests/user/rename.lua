-- drivers: echo
-- A program renames a file into another directory, which the kernel opens for that and lets go again.
local p = assert(launch("client.exe"))
local at = p:allocate(0x1000)
local DIRECTORY, FILE, DELETE = 0x21, 0x60, 0x110080
local function make(path, options) return assert(p:open("\\??\\C:\\" .. path, 0x110080, options, 2)) end
local function set(handle, class, data)
  return (p:service("NtSetInformationFile", {handle, at, at + 0x100, #data, class}, {{address = at + 0x100, data = data}}))
end
p:close(make("from", DIRECTORY))
p:close(make("to", DIRECTORY))
local file = make("from\\x", FILE)
local name = ("\\??\\C:\\to\\y"):gsub(".", "%0\0")
expect(set(file, 10, string.pack("<I8I8I4", 0, 0, #name) .. name), 0)
p:close(file)
expect(p:open("\\??\\C:\\from\\x", DELETE, FILE, 1), nil)
local moved = assert(p:open("\\??\\C:\\to\\y", DELETE, FILE, 1))
expect(set(moved, 13, "\1"), 0)
p:close(moved)
local folder = assert(p:open("\\??\\C:\\to", DELETE, DIRECTORY, 1))
expect(set(folder, 13, "\1"), 0)
p:close(folder)
local again, status = p:open("\\??\\C:\\to", DELETE, DIRECTORY, 1)
expect(status, 0xC0000034, "nobody has it open")
