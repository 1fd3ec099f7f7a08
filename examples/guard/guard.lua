-- A launch that a driver allows, one that it denies (T9), and what the launcher sees. The driver's lines show the level of
-- its callback: PASSIVE (T16).
machine{drivers = {"guard.sys"}}

local good = assert(launch("notepad.exe", {command_line = "notepad.exe letter.txt"}))
print("notepad.exe runs as process " .. good.id)

for _, name in ipairs{"evil.exe", [[C:\tools\EVIL.EXE]]} do
  local process, status = launch(name)
  print(string.format("%s: status 0x%08X", name, status or 0))
  assert(process == nil and status == 0xC0000022, "it was not denied")
end

assert(launch("notevil.exe"):exit(0) >= 0)
good:exit(3)
