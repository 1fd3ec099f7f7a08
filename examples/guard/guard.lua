-- What the one who launches sees of the guard.
local p = assert(launch("C:\\Tools\\allowed.exe"))
print("allowed.exe runs as process " .. p.id)
local q, status = launch("C:\\Tools\\forbidden.exe", {parent = p})
assert(q == nil)
print(string.format("forbidden.exe: refused with 0x%08X", status))
p:exit(0)
