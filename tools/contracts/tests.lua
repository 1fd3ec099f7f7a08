--[[
The generated test: contract_calls.h, every exported routine with arguments for which each of its conditions holds in turn,
and contract_findings.tsv, the findings that calling them at every level must give, in the order in which the driver
(tests/contracts/calls.c) makes the calls: level by level, variant by variant, routine by routine. What is not listed must be
silent.
]]
local T = require "rows"
local write = require("kernel").write
local M = {}

M.TOP_LEVEL = 15

-- The variants of one row: in the first no condition holds, in each other one exactly one does.
local function variants_of(row)
    local variants = {{}}
    for i, condition in ipairs(row.conditions) do
        for _, value in ipairs(T.predicates[condition.predicate].holds) do
            variants[#variants + 1] = {holds = i, value = value}
        end
    end
    for _, variant in ipairs(variants) do
        for i, condition in ipairs(row.conditions) do
            variant[i] = variant.holds == i and variant.value or T.predicates[condition.predicate].plain
        end
    end
    return variants
end

-- The rule that a call breaks, or nil.
local function broken(row, variant, level)
    local max = T.levels[row.max][2]
    if level >= T.levels[row.min][1] and level <= max and variant.holds then
        max = T.levels[row.conditions[variant.holds].max][2]
    end
    return level > max and "irql.call-too-high" or level < T.levels[row.min][1] and "irql.call-too-low" or nil
end

function M.write(rows, out)
    local calls, list, most = {"/* Made by tools/contracts.lua from contracts/. */"}, {}, 0
    for _, row in ipairs(rows) do
        if row.kind == "F" then
            local variants = variants_of(row)
            list[#list + 1] = {row = row, variants = variants}
            most = math.max(most, #variants)
            local texts = {}
            for i, variant in ipairs(variants) do
                local pairs_ = {}
                for c, condition in ipairs(row.conditions) do
                    pairs_[c] = ("{%d, %s}"):format(condition.argument, variant[c])
                end
                texts[i] = "{" .. (#pairs_ > 0 and table.concat(pairs_, ", ") or "{0}") .. "}"
            end
            calls[#calls + 1] = ("ROUTINE(%s, %d, {%s})"):format(row.name, #variants, table.concat(texts, ", "))
        end
    end
    local findings = {"# level\tvariant\trule\tcode\tparameter 1 when the code is 0xc4\troutine"}
    for level = 0, M.TOP_LEVEL do
        for v = 1, most do
            for _, call in ipairs(list) do
                local rule = call.variants[v] and broken(call.row, call.variants[v], level)
                if rule then
                    findings[#findings + 1] = ("%d\t%d\t%s\t0x%x\t0x%x\t%s"):format(level, v - 1, rule, call.row.stop_code,
                                                                                  call.row.stop_subcode, call.row.name)
                end
            end
        end
    end
    write(out .. "/contract_calls.h", table.concat(calls, "\n") .. "\n#define MOST_VARIANTS " .. most .. "\n#define TOP_LEVEL " ..
          M.TOP_LEVEL .. "\n")
    write(out .. "/contract_findings.tsv", table.concat(findings, "\n") .. "\n")
end

return M
