-- drivers: maps
-- expect: ^SUMMARY: irqlab: mdl.not-mapped maps.c
-- status: 1
-- A mapping in one process is unmapped in the context of another.
local function code(n) return 0x22 << 16 | (0x800 + n) << 2 end
local p, q = assert(launch("first.exe")), assert(launch("second.exe"))
local hp, hq = assert(p:open("\\??\\Maps")), assert(q:open("\\??\\Maps"))
assert(p:control(hp, code(0), string.rep("\0", 24), 24) == 0)
q:control(hq, code(2))
