--[[
The host's side: everything that a report or `explain` may want to say, as constant tables of C.
]]
local T = require "rows"
local words = require "words"
local write = require("kernel").write
local M = {}

local function quote(text)
    if not text then
        return "NULL"
    end
    return '"' .. text:gsub('[\\"?]', "\\%0") .. '"'
end

-- A C table of `type` with one line for each record.
local function c_table(out, type, name, count, lines)
    out[#out + 1] = ("const struct %s %s[] = {"):format(type, name)
    for _, line in ipairs(lines) do
        out[#out + 1] = "    {" .. line .. "},"
    end
    out[#out + 1] = ("};\nconst size_t %s = %d;\n"):format(count, #lines)
end

local KINDS = {F = "CONTRACT_FUNCTION", C = "CONTRACT_CALLBACK", D = "CONTRACT_DATA"}

local function row_line(row, tables)
    local min = row.min and T.levels[row.min][1] or -1
    local max = row.max and T.levels[row.max][2] or -1
    local remedy, condition, low = words.remedies_of(row, tables.remedies)
    return table.concat({
        quote(row.name), quote(row.module), quote(row.header), KINDS[row.kind], min, max,
        row.note and row.note:find("macro", 1, true) and not row.module and 1 or 0, row.unlisted and 1 or 0,
        quote(words.rule(row)), quote(words.conditions(row)), quote(words.effect(row)), quote(words.resident(row)),
        quote(remedy), quote(condition), quote(low), quote(words.source(row)),
    }, ", ")
end

-- Rows of what exists here, and a row for each fact about what does not.
local function all_rows(rows, facts, fact_order)
    local list, have = {}, {}
    for _, row in ipairs(rows) do
        local fact = facts[row.name]
        row.header = fact and fact.header
        row.note = fact and fact.note
        row.unlisted = row.kind ~= "D" and not fact
        have[row.name] = true
        list[#list + 1] = row
    end
    for _, fact in ipairs(fact_order) do
        if not have[fact.name] then
            list[#list + 1] = {name = fact.name, kind = fact.kind, header = fact.header, min = fact.min, max = fact.max,
                               note = fact.note, conditions = {}, resident = {}}
        end
    end
    table.sort(list, function(a, b) return a.name < b.name end)
    return list
end

function M.write(rows, facts, fact_order, tables, folder)
    local out = {"/* Made by tools/contracts.lua from contracts/. */", '#include "report/contracts.h"', ""}
    local lines = {}
    for _, row in ipairs(all_rows(rows, facts, fact_order)) do
        lines[#lines + 1] = row_line(row, tables)
    end
    c_table(out, "contract_row", "contract_rows", "contract_row_count", lines)

    lines = {}
    for _, level in ipairs(tables.levels) do
        lines[#lines + 1] = table.concat({
            quote(level.name), quote(T.absent(level.aliases)), level.low, level.high, quote(T.absent(level.talk)),
            quote(level.meaning), quote(level.runs), quote(level.masks), quote(level.touch), quote(level.sources),
        }, ", ")
    end
    c_table(out, "contract_level", "contract_levels", "contract_level_count", lines)

    lines = {}
    for _, rule in ipairs(tables.rules) do
        lines[#lines + 1] = table.concat({quote(rule.id), rule.code, quote(rule.rule), quote(rule.instead_text)}, ", ")
    end
    c_table(out, "contract_rule", "contract_rules", "contract_rule_count", lines)

    lines = {}
    for _, remedy in ipairs(tables.remedy_order) do
        lines[#lines + 1] = quote(remedy.key) .. ", " .. quote(remedy.text)
    end
    c_table(out, "contract_remedy", "contract_remedies", "contract_remedy_count", lines)

    lines = {}
    for _, bugcheck in ipairs(tables.bugchecks) do
        local labels = {}
        for i = 1, 4 do
            labels[i] = quote(T.absent(bugcheck["p" .. i]))
        end
        lines[#lines + 1] = bugcheck.code .. ", " .. quote(bugcheck.name) .. ", {" .. table.concat(labels, ", ") .. "}"
    end
    c_table(out, "contract_bugcheck", "contract_bugchecks", "contract_bugcheck_count", lines)
    write(folder .. "/contracts_host.c", table.concat(out, "\n"))
end

return M
