--[[
routines.md: every routine that exists here with its levels, and how far each family has come. Made by the build, so it
cannot be out of date.
]]
local T = require "rows"
local words = require "words"
local write = require("kernel").write
local M = {}

local function family_of(row)
    return row.where:match("([%w_]+)%.tsv:%d+$")
end

local function cell(text)
    return (text:gsub("|", "\\|"))
end

local function counts(rows, planned)
    local here, to_come, names, landed = {}, {}, {}, {}
    for _, row in ipairs(rows) do
        if row.kind ~= "C" then
            local family = family_of(row)
            here[family] = (here[family] or 0) + 1
            landed[row.name] = true
            names[family] = true
        end
    end
    for _, row in ipairs(planned) do
        if not landed[row.name] then
            local family = family_of(row)
            to_come[family] = (to_come[family] or 0) + 1
            names[family] = true
        end
    end
    local list = {}
    for family in pairs(names) do
        list[#list + 1] = family
    end
    table.sort(list)
    local out, sum, rest = {"| family | here | planned |", "| --- | ---: | ---: |"}, 0, 0
    for _, family in ipairs(list) do
        out[#out + 1] = ("| %s | %d | %d |"):format(family, here[family] or 0, to_come[family] or 0)
        sum, rest = sum + (here[family] or 0), rest + (to_come[family] or 0)
    end
    out[#out + 1] = ("| all | %d | %d |"):format(sum, rest)
    return out
end

local function row_line(row)
    local rest = {}
    for _, text in ipairs {words.conditions(row) or "", words.effect(row) or "", words.resident(row) or ""} do
        if text ~= "" then
            rest[#rest + 1] = text
        end
    end
    return ("| `%s` | %s | %s | %s |"):format(row.name, T.level_name[row.min], T.level_name[row.max],
                                             cell(table.concat(rest, "; ")))
end

function M.write(rows, planned, out)
    local text = {"# Routines", "", "Made by the build from `contracts/`. What is not listed does not exist here.", ""}
    for _, line in ipairs(counts(rows, planned)) do
        text[#text + 1] = line
    end
    for _, part in ipairs {{"F", "Routines"}, {"C", "Callbacks"}} do
        for _, line in ipairs {"", "## " .. part[2], "", "| name | from | to | more |", "| --- | --- | --- | --- |"} do
            text[#text + 1] = line
        end
        for _, row in ipairs(rows) do
            if row.kind == part[1] then
                text[#text + 1] = row_line(row)
            end
        end
    end
    write(out .. "/routines.md", table.concat(text, "\n") .. "\n")
end

return M
