--[[
What tools/contracts.lua makes of tables, right and wrong: each case is a family file with one mistake and the words its
complaint must hold. A mistake must end with status 1, name file and line, and write nothing.
]]
local folder = os.tmpname()
os.remove(folder)
os.execute("mkdir -p " .. folder .. "/in/ntoskrnl " .. folder .. "/in/hal " .. folder .. "/out")
os.execute("cp contracts/*.tsv " .. folder .. "/in")

local function write(path, text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
end

local function read(path)
    local file = io.open(path, "r")
    local text = file and file:read("a")
    if file then
        file:close()
    end
    return text
end

local function make(nt, hal)
    write(folder .. "/in/ntoskrnl/ke.tsv", nt)
    write(folder .. "/in/hal/hal.tsv", hal or "")
    local pipe = io.popen("lua5.4 tools/contracts.lua " .. folder .. "/in " .. folder .. "/out 2>&1")
    local text = pipe:read("a")
    local _, _, status = pipe:close()
    return status or 0, text
end

local function row(...)
    return table.concat({...}, "\t") .. "\n"
end

local failed = 0
local function check(name, true_, detail)
    if not true_ then
        failed = failed + 1
        print("FAIL " .. name .. (detail and ": " .. detail or ""))
    end
end

local function refuses(name, text, ...)
    os.execute("rm -f " .. folder .. "/out/*")
    local status, said = make(text)
    check(name, status == 1, "status " .. status .. ", " .. said)
    for _, words in ipairs {...} do
        check(name, said:find(words, 1, true), "'" .. words .. "' is not in: " .. said)
    end
    check(name, not read(folder .. "/out/ntoskrnl.def"), "it wrote something")
end

local BUG = row("KeBugCheck", "F", "PASSIVE", "HIGH", "-", "ends", "-", "-", "-", "-")
local SET = row("KeSetEvent", "F", "PASSIVE", "DISPATCH", "true(3)=APC", "-", "-", "C4:0x80", "-", "-")

-- A table without mistakes, and that the same input gives the same bytes.
local status, said = make("# a comment\n" .. BUG .. SET .. row("KfX", "F=KiX", "APC", "DIRQL", "-", "-", "-", "-", "-", "ours") ..
                          row("PsThing", "D", "-", "-", "-", "-", "-", "-", "-", "-"),
                          row("KeStallExecutionProcessor", "F", "PASSIVE", "HIGH", "-", "-", "-", "-", "-", "-"))
check("makes", status == 0, said)
check("makes the export list", read(folder .. "/out/ntoskrnl.def") ==
      "LIBRARY ntoskrnl.exe\nEXPORTS\nKeBugCheck\nKeSetEvent\nKeStallExecutionProcessor\nKfX=KiX\nPsThing DATA\n")
check("makes forwarders", read(folder .. "/out/hal.def") ==
      "LIBRARY hal.dll\nEXPORTS\nKeStallExecutionProcessor=ntoskrnl.KeStallExecutionProcessor\n")
local checks = read(folder .. "/out/contracts_nt.c")
check("makes checks", checks:find('{"KeSetEvent", 0, 2, 1, 0, 0xc4, 0x80, {{VfTrue, 3, 1, 0}}}', 1, true))
check("makes no check of data", not checks:find("PsThing", 1, true))
local findings = read(folder .. "/out/contract_findings.tsv")
check("expects a finding by condition", findings:find("\n2\t1\tirql.call-too-high\t0xc4\t0x80\tKeSetEvent\n", 1, true))
check("expects silence", not findings:find("\n2\t0\tirql.call-too-high\t0xc4\t0x80\tKeSetEvent\n", 1, true) and
      not findings:find("KeBugCheck", 1, true))
check("expects a finding below", findings:find("\n0\t0\tirql.call-too-low\t0xa\t0x0\tKfX\n", 1, true))
check("expects a finding above DIRQL", findings:find("\n13\t0\tirql.call-too-high\t0xa\t0x0\tKfX\n", 1, true) and
      not findings:find("\n12\t0\tirql.call-too-high\t0xa\t0x0\tKfX\n", 1, true))
local before = {}
for _, name in ipairs {"contracts_nt.c", "contracts_host.c", "contract_calls.h", "contract_findings.tsv"} do
    before[name] = read(folder .. "/out/" .. name)
end
os.execute("lua5.4 tools/contracts.lua " .. folder .. "/in " .. folder .. "/out")
for name, text in pairs(before) do
    check("gives the same bytes", text == read(folder .. "/out/" .. name), name)
end

refuses("a column missing", "KeBugCheck\tF\tPASSIVE\n", "ke.tsv:1:", "3 columns, not 10")
refuses("an empty column", (BUG:gsub("ends", "")), "ke.tsv:1:", "column effect is empty")
refuses("a name twice", BUG .. BUG, "ke.tsv:2:", "twice")
refuses("out of order", SET .. BUG, "ke.tsv:2:", "out of order")
refuses("an unknown kind", (BUG:gsub("\tF\t", "\tX\t")), "kind is 'X'")
refuses("an unknown level", (BUG:gsub("HIGH", "HIGHEST")), "unknown level 'HIGHEST'")
refuses("an unknown condition", (SET:gsub("true%(3%)", "sometimes(3)")), "unknown condition 'sometimes(3)=APC'")
refuses("a condition that does nothing", (SET:gsub("=APC", "=DISPATCH")), "does not lower the maximum")
refuses("an unknown effect", (BUG:gsub("ends", "hops")), "unknown effect 'hops'")
refuses("a bad stop", (SET:gsub("C4:0x80", "C4:80")), "stop is 'C4:80'")
refuses("an unknown remedy", (BUG:gsub("%-\t%-\n", "pray\t-\n")), "no remedy 'pray'")
refuses("levels unlike the page's", (BUG:gsub("HIGH", "DISPATCH")), "KeBugCheck is PASSIVE..DISPATCH, its page says PASSIVE..HIGH")
refuses("a condition forgotten", (SET:gsub("true%(3%)=APC", "-")), "allows only APC_LEVEL in some case")
refuses("no page and no source", (BUG:gsub("KeBugCheck", "KeBugChecq")), "has no documentation page")
refuses("data with a level", row("PsThing", "D", "PASSIVE", "-", "-", "-", "-", "-", "-", "-"), "data has no level")
refuses("upside down", (BUG:gsub("PASSIVE\tHIGH", "HIGH\tPASSIVE")), "minimum above maximum")

os.execute("rm -r " .. folder)
print(failed == 0 and "all as it should be" or failed .. " failed")
os.exit(failed == 0)
