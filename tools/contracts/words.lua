--[[
Sentences made from rows, and the tables of texts (remedies, rules, levels, bug checks).
]]
local T = require "rows"
local M = {}

-- How a set of levels is said. `verb` is "may be called" or "is called".
local function level_phrase(min, max)
    local low, high = T.level_name[min], T.level_name[max]
    if min == "PASSIVE" and max == "HIGH" then
        return "at any IRQL"
    elseif min == max then
        return "at " .. low .. " only"
    elseif min == "PASSIVE" then
        return "at " .. high .. " or below"
    elseif max == "HIGH" then
        return "at " .. low .. " or above"
    end
    return "at levels from " .. low .. " to " .. high
end

function M.rule(row)
    if row.kind == "D" then
        return row.name .. " is data, not a routine."
    elseif row.kind == "C" then
        if not row.min then
            return "The documentation states no level at which " .. row.name .. " is called."
        end
        local where = row.min == row.max and "at " .. T.level_name[row.min] or level_phrase(row.min, row.max)
        return ("A routine of type %s is called %s, and must return at the level at which it was called."):format(row.name, where)
    elseif not row.min then
        return "The documentation states no level for " .. row.name .. "."
    end
    return row.name .. " may be called " .. level_phrase(row.min, row.max) .. "."
end

local WHEN = {
    waits = "it waits: its time-out (argument %d) is NULL or not zero",
    ["true"] = "argument %d is TRUE",
    paged_pool = "argument %d asks for paged pool",
    pool_flags = "argument %d asks for paged pool",
    user_mode = "argument %d is UserMode",
    not_null = "argument %d is not NULL",
    wide_format = "the format (argument %d) prints wide characters",
    paged_block = "argument %d lies in paged pool",
}

function M.conditions(row)
    local parts = {}
    for _, condition in ipairs(row.conditions) do
        parts[#parts + 1] = ("%s at most when %s"):format(T.level_name[condition.max],
                                                          WHEN[condition.predicate]:format(condition.argument))
    end
    -- What the documentation knows of a routine that is not here, as far as the facts can tell.
    local note = not row.where and row.max ~= "PASSIVE" and row.note or ""
    local bound = note:match("conditional%-max=([%u_]+)")
    if bound then
        parts[#parts + 1] = bound .. " at most in some case that its page names"
    elseif note:find("see-remarks", 1, true) then
        parts[#parts + 1] = "the remarks of its page may narrow this"
    end
    return #parts > 0 and table.concat(parts, "; ") or nil
end

local EFFECT = {
    raises = "raises the IRQL", lowers = "lowers the IRQL", restores = "restores the IRQL that its counterpart saved",
    blocks = "may block the thread", spins = "may spin until another processor goes on", ends = "does not return",
    returns = "returns at the level at which it was called",
}

function M.effect(row)
    if not row.effect then
        return nil
    end
    local verb, level = row.effect:match("^(%l+):?(%u*)$")
    return EFFECT[verb] .. (level ~= "" and " to " .. T.level_name[level] or "")
end

function M.resident(row)
    if #row.resident == 0 then
        return nil
    end
    return ("the memory behind argument%s %s must be resident at DISPATCH_LEVEL and above"):format(
        #row.resident > 1 and "s" or "", table.concat(row.resident, " and "))
end

function M.source(row)
    if row.source then
        return row.source
    elseif row.unlisted or row.kind == "D" then
        return nil
    end
    return "Windows driver documentation, page " .. (row.note and row.note:match("alias%-of=([%w_]+)") or row.name)
end

-- The texts for a call too high, for one too high by a condition, and for one too low.
function M.remedies_of(row, remedies)
    if row.kind ~= "F" or not row.min then
        return nil
    end
    local high = row.remedy
    if not high then
        high = (row.max == "PASSIVE" or row.max == "APC") and "work-item" or row.max == "DISPATCH" and "queue-dpc"
    end
    local condition = row.conditions[1] and (row.remedy or T.predicates[row.conditions[1].predicate].remedy)
    local low = row.min == "APC" and "raise-to-apc" or row.min == "DISPATCH" and "raise-first" or
        row.min == "DIRQL" and "synchronize" or row.min ~= "PASSIVE" and "raise-first"
    return high and remedies[high], condition and remedies[condition], low and remedies[low]
end

-- Read the tables of texts; rows are checked against the keys.
function M.read(contracts, rows)
    local tables = {remedies = {}, rules = {}}
    tables.remedy_order = T.read(contracts .. "/remedies.tsv", {"key", "text"})
    for _, remedy in ipairs(tables.remedy_order) do
        tables.remedies[remedy.key] = remedy.text
    end
    table.sort(tables.remedy_order, function(a, b) return a.key < b.key end)
    local function need(where, key)
        if key and not tables.remedies[key] then
            T.complain(where, "no remedy '%s' in remedies.tsv", key)
        end
    end
    for _, row in ipairs(rows) do
        need(row.where, row.remedy)
    end
    for _, predicate in pairs(T.predicates) do
        need("tools/contracts/rows.lua", predicate.remedy)
    end
    for _, key in ipairs {"work-item", "queue-dpc", "raise-first", "raise-to-apc", "synchronize"} do
        need("tools/contracts/words.lua", key)
    end
    tables.bugchecks = T.read(contracts .. "/bugchecks.tsv", {"code", "name", "p1", "p2", "p3", "p4"})
    tables.levels = T.read(contracts .. "/levels.tsv",
                           {"name", "aliases", "low", "high", "talk", "meaning", "runs", "masks", "touch", "sources"})
    tables.rules = T.read(contracts .. "/rules.tsv", {"id", "code", "rule", "instead"})
    table.sort(tables.rules, function(a, b) return a.id < b.id end)
    local codes = {}
    for _, bugcheck in ipairs(tables.bugchecks) do
        codes[tonumber(bugcheck.code)] = true
    end
    for _, rule in ipairs(tables.rules) do
        if not codes[tonumber(rule.code)] then
            T.complain(rule.where, "%s: no bug check %s", rule.id, rule.code)
        end
        -- A key of remedies.tsv, or a sentence of its own.
        rule.instead_text = tables.remedies[rule.instead] or T.absent(rule.instead)
    end
    return tables
end

return M
