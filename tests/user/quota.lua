-- drivers: quota
-- expect: ^SUMMARY: irqlab: process.quota-underflow quota.c
-- status: 1
-- Pool quota of a process, and what gives back more than it took.
local CODE <const> = 0x22 << 16 | 0x800 << 2
local p = assert(launch("charged.exe"))
local h = assert(p:open("\\??\\Quota"))
for round = 1, 3 do
  local status, out = p:control(h, CODE, nil, 28)
  assert(status == 0, status)
  local got = {string.unpack("<I4I4I4I4I4I4I4", out)}
  local wanted = {0, 0, 0xC0000044, 0xC0000044, 0, 0, 0xC0000044}
  for i = 1, 7 do assert(got[i] == wanted[i], string.format("round %d, %d: %#x", round, i, got[i])) end
end
p:control(h, CODE, "x", 28)
