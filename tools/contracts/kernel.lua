--[[
The kernel's side: export lists for the linker, and the rows that the import thunks compare the IRQL with.
]]
local T = require "rows"
local M = {}

local function write(path, text)
    local file = assert(io.open(path, "w"))
    file:write(text)
    file:close()
end
M.write = write

-- All rows are exported by ntoskrnl.exe; since Windows 10 19041 hal.dll only forwards there, and so does ours; and wmilib.sys.
function M.export_lists(rows, out)
    local nt = {"LIBRARY ntoskrnl.exe", "EXPORTS"}
    local forwarding = {["hal.dll"] = {"LIBRARY hal.dll", "EXPORTS"}, ["wmilib.sys"] = {"LIBRARY wmilib.sys", "EXPORTS"}}
    for _, row in ipairs(rows) do
        if row.kind ~= "C" then
            nt[#nt + 1] = row.name .. (row.internal and "=" .. row.internal or "") .. (row.kind == "D" and " DATA" or "")
            local hal = forwarding[row.module]
            if hal then
                hal[#hal + 1] = row.name .. "=ntoskrnl." .. row.name .. (row.kind == "D" and " DATA" or "")
            end
        end
    end
    write(out .. "/ntoskrnl.def", table.concat(nt, "\n") .. "\n")
    for module, list in pairs(forwarding) do
        write(out .. "/" .. module:match("^%w+") .. ".def", table.concat(list, "\n") .. "\n")
    end
end

function M.contracts(rows, out)
    local text, count = {}, 0
    for _, row in ipairs(rows) do
        if row.kind ~= "D" then
            count = count + 1
            local conditions = {}
            for i, condition in ipairs(row.conditions) do
                conditions[i] = ("{%s, %d, %d, 0}"):format(T.predicates[condition.predicate].c, condition.argument,
                                                           T.levels[condition.max][2])
            end
            text[#text + 1] = ("    {\"%s\", %d, %d, %d, 0, 0x%x, 0x%x, {%s}},"):format(row.name, T.levels[row.min][1],
                T.levels[row.max][2], #conditions, row.stop_code, row.stop_subcode,
                #conditions > 0 and table.concat(conditions, ", ") or "{0}")
        end
    end
    write(out .. "/contracts_nt.c", "/* Made by tools/contracts.lua from contracts/. */\n#include \"nt.h\"\n\n" ..
          "const VF_CONTRACT VfContracts[] = {\n" .. table.concat(text, "\n") .. "\n};\n" ..
          "const ULONG VfContractCount = " .. count .. ";\n")
end

return M
