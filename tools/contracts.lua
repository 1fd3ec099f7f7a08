--[[
contracts.lua CONTRACTS OUT            write the files made from the contract tables
contracts.lua --check-planned CONTRACTS  check the rows of contracts/planned as if they stood in their families

One row a routine (docs/contracts.md). Made from the rows: the kernel's export lists (ntoskrnl.def, hal.def), the checks
at import thunks (contracts_nt.c), what reports and `explain` say (contracts_host.c), the test that calls every routine at
every level (contract_calls.h, contract_findings.tsv), and routines.md for readers. The same input gives the same bytes. A
mistake in a table ends with status 1 and file:line on standard error; nothing is written then.
]]
local here = arg[0]:match("^(.*/)") or "./"
package.path = here .. "contracts/?.lua"
local T = require "rows"

local planned = arg[1] == "--check-planned"
local contracts, out = arg[planned and 2 or 1], arg[2]
if not contracts or (not planned and not out) or #arg > 2 then
    io.stderr:write("usage: contracts.lua CONTRACTS OUT | --check-planned CONTRACTS\n")
    os.exit(2)
end

local facts, fact_order = T.read_facts(contracts .. "/ddi.tsv")
local rows, seen = {}, {}
for _, folder in ipairs {{"ntoskrnl", "ntoskrnl.exe"}, {"hal", "hal.dll"}, {"wmilib", "wmilib.sys"}} do
    for _, path in ipairs(T.files(contracts .. "/" .. folder[1])) do
        T.read_rows(path, folder[2], seen, rows)
    end
end
T.read_rows(contracts .. "/callbacks.tsv", nil, seen, rows)
local plan, plan_seen = {}, {}
for _, path in ipairs(T.files(contracts .. "/planned")) do
    T.read_rows(path, path:match("/hal%.tsv$") and "hal.dll" or "ntoskrnl.exe", plan_seen, plan)
end
if planned then
    local left = 0
    for _, row in ipairs(plan) do
        left = left + (seen[row.name] and 0 or 1)
    end
    print(("%d rows planned, %d of them not landed"):format(#plan, left))
    rows = plan
end
for _, row in ipairs(rows) do
    T.check_against_facts(row, facts)
end
table.sort(rows, function(a, b) return a.name < b.name end)
local tables = require("words").read(contracts, rows)
T.stop_on_failures()
if planned then
    return
end

local kernel = require "kernel"
kernel.export_lists(rows, out)
kernel.contracts(rows, out)
require("manual").write(rows, plan, out)
require("tests").write(rows, out)
require("host").write(rows, facts, fact_order, tables, out)
