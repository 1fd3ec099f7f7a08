--[[
Reading the contract tables and checking them.

Everything in contracts/ is tab separated text; lines that start with "#" are comments. A mistake stops the build with
file:line, because each thing made from a row (check, text, test) would otherwise carry it on. Rows are kept in byte
order of their names so that two people who add a row meet in the same place.
]]
local M = {}

-- Level words of the tables: the lowest and highest IRQL on x64 that each stands for.
M.levels = {
    PASSIVE = {0, 0}, APC = {1, 1}, DISPATCH = {2, 2}, DIRQL = {3, 12}, CLOCK = {13, 13}, IPI = {14, 14}, HIGH = {15, 15},
}
M.level_name = {
    PASSIVE = "PASSIVE_LEVEL", APC = "APC_LEVEL", DISPATCH = "DISPATCH_LEVEL", DIRQL = "DIRQL", CLOCK = "CLOCK_LEVEL",
    IPI = "IPI_LEVEL", HIGH = "HIGH_LEVEL",
}

-- Predicates on one argument: the C name of vf.h; which remedy helps when a condition with it is what was broken; and for
-- the generated test (names of tests/contracts/calls.c) an argument for which it does not hold, and all kinds for which it does.
M.predicates = {
    waits = {c = "VfWaits", remedy = "no-wait", plain = "NO_TIME", holds = {"NULL_POINTER", "SOME_TIME"}},
    ["true"] = {c = "VfTrue", remedy = "wait-flag", plain = "ZERO", holds = {"ONE"}},
    paged_pool = {c = "VfPagedPool", remedy = "nonpaged", plain = "NONPAGED_POOL_NX",
                  holds = {"PAGED_POOL", "PAGED_POOL_CACHE_ALIGNED"}},
    pool_flags = {c = "VfPoolFlags", remedy = "nonpaged", plain = "FLAG_NON_PAGED", holds = {"FLAG_PAGED"}},
    user_mode = {c = "VfUserMode", remedy = "work-item", plain = "ZERO", holds = {"ONE"}},
    not_null = {c = "VfNotNull", remedy = "work-item", plain = "NULL_POINTER", holds = {"SOME_TIME"}},
    wide_format = {c = "VfWideFormat", remedy = "narrow-format", plain = "NARROW_FORMAT",
                   holds = {"WIDE_S_FORMAT", "WIDE_STRING_FORMAT", "WIDE_COUNTED_FORMAT", "WIDE_CHARACTER_FORMAT"}},
    paged_block = {c = "VfPagedBlock", remedy = "free-later", plain = "NONPAGED_BLOCK", holds = {"PAGED_BLOCK"}},
}
M.MAX_CONDITIONS = 2

local failures = {}

local function complain(where, format, ...)
    failures[#failures + 1] = where .. ": " .. format:format(...)
end
M.complain = complain

-- Stop the build if anything was wrong.
function M.stop_on_failures()
    if #failures > 0 then
        io.stderr:write(table.concat(failures, "\n"), "\n")
        os.exit(1)
    end
end

local function split(line)
    local fields = {}
    for field in (line .. "\t"):gmatch("([^\t]*)\t") do
        fields[#fields + 1] = field
    end
    return fields
end

-- Records of a file with `columns` names; each has .where. A missing file has no records.
function M.read(path, columns)
    local records, file = {}, io.open(path, "r")
    if not file then
        return records
    end
    local number = 0
    for line in file:lines() do
        number = number + 1
        if line ~= "" and line:sub(1, 1) ~= "#" then
            local where, fields = path .. ":" .. number, split(line)
            if #fields ~= #columns then
                complain(where, "%d columns, not %d (%s)", #fields, #columns, table.concat(columns, ", "))
            else
                local record = {where = where}
                for i, column in ipairs(columns) do
                    if fields[i] == "" or fields[i]:find("^%s") or fields[i]:find("%s$") then
                        complain(where, "column %s is empty or has blanks around it (nothing is written as -)", column)
                    end
                    record[column] = fields[i]
                end
                records[#records + 1] = record
            end
        end
    end
    file:close()
    return records
end

-- Names of the .tsv files in a folder, sorted; none if it does not exist.
function M.files(folder)
    local names, pipe = {}, io.popen("ls -1 '" .. folder .. "' 2>/dev/null")
    for name in pipe:lines() do
        if name:match("%.tsv$") then
            names[#names + 1] = folder .. "/" .. name
        end
    end
    pipe:close()
    table.sort(names)
    return names
end

local function absent(field)
    return field ~= "-" and field or nil
end
M.absent = absent

local COLUMNS = {"name", "kind", "min", "max", "conditions", "effect", "resident", "stop", "remedy", "source"}

local EFFECTS = {raises = true, lowers = true, restores = true, blocks = true, spins = true, ends = true, returns = true}

local function parse_conditions(row)
    local list = {}
    if row.conditions ~= "-" then
        for part in (row.conditions .. ";"):gmatch("([^;]*);") do
            local predicate, argument, max = part:match("^([%l_]+)%((%d+)%)=(%u+)$")
            if not predicate or not M.predicates[predicate] or not M.levels[max] then
                complain(row.where, "%s: unknown condition '%s'", row.name, part)
            else
                list[#list + 1] = {predicate = predicate, argument = tonumber(argument), max = max}
                if row.max and M.levels[max][2] >= M.levels[row.max][2] then
                    complain(row.where, "%s: condition %s does not lower the maximum", row.name, part)
                end
            end
        end
    end
    if #list > M.MAX_CONDITIONS then
        complain(row.where, "%s: more than %d conditions", row.name, M.MAX_CONDITIONS)
    end
    row.conditions = list
end

local function parse_effect(row)
    local effect = absent(row.effect)
    if effect then
        local verb, level = effect:match("^(%l+):?(%u*)$")
        if not verb or not EFFECTS[verb] or (level ~= "" and not M.levels[level]) then
            complain(row.where, "%s: unknown effect '%s'", row.name, effect)
        end
    end
    row.effect = effect
end

local function parse_stop(row)
    row.stop_code, row.stop_subcode = 0x0a, 0
    if row.stop ~= "-" then
        local subcode = row.stop:match("^C4:0x(%x+)$")
        if not subcode then
            complain(row.where, "%s: stop is '%s', not - or C4:0xNN", row.name, row.stop)
        else
            row.stop_code, row.stop_subcode = 0xc4, tonumber(subcode, 16)
        end
    end
end

local function parse_resident(row)
    local list = {}
    if row.resident ~= "-" then
        for argument in (row.resident .. ","):gmatch("([^,]*),") do
            if not argument:match("^%d+$") then
                complain(row.where, "%s: resident is '%s', not - or argument numbers with commas", row.name, row.resident)
            end
            list[#list + 1] = tonumber(argument)
        end
    end
    row.resident = list
end

-- Turn a raw record into a row; words become tables, "-" becomes nil.
local function parse_row(row, module)
    row.module = module
    local kind, internal = row.kind:match("^([FDC])=?([%w_]*)$")
    if not kind or (row.kind:find("=", 1, true) and internal == "") then
        complain(row.where, "%s: kind is '%s', not F, D, F=Name or D=Name", row.name, row.kind)
        kind = "F"
    end
    row.kind, row.internal = kind, internal ~= "" and internal or nil
    for _, end_ in ipairs {"min", "max"} do
        local word = absent(row[end_])
        if kind == "D" then
            if word then
                complain(row.where, "%s: data has no level", row.name)
            end
            word = nil
        elseif not M.levels[word] then
            complain(row.where, "%s: unknown level '%s'", row.name, row[end_])
            word = "PASSIVE"
        end
        row[end_] = word
    end
    if row.min and M.levels[row.min][1] > M.levels[row.max][2] then
        complain(row.where, "%s: minimum above maximum", row.name)
    end
    parse_conditions(row)
    parse_effect(row)
    parse_stop(row)
    parse_resident(row)
    row.remedy, row.source = absent(row.remedy), absent(row.source)
    return row
end

-- Read the rows of one file, checked for order; `seen` finds a name that stands in two files.
function M.read_rows(path, module, seen, rows)
    local previous
    for _, record in ipairs(M.read(path, COLUMNS)) do
        if previous and record.name <= previous then
            complain(record.where, record.name == previous and "%s stands here twice" or "%s is out of order (byte order)",
                     record.name)
        elseif seen[record.name] then
            complain(record.where, "%s stands also at %s", record.name, seen[record.name])
        end
        previous = record.name
        seen[record.name] = record.where
        rows[#rows + 1] = parse_row(record, module)
    end
end

-- The facts from the public documentation, by name, and in order.
function M.read_facts(path)
    local facts, order = {}, {}
    for _, fact in ipairs(M.read(path, {"name", "kind", "header", "min", "max", "note"})) do
        fact.min, fact.max = absent(fact.min), absent(fact.max)
        fact.header, fact.note = absent(fact.header), absent(fact.note)
        facts[fact.name] = fact
        order[#order + 1] = fact
    end
    return facts, order
end

-- A row whose source column is "-" claims that the documentation gives exactly this. Hold it to that.
function M.check_against_facts(row, facts)
    if row.kind == "D" or row.source then
        return
    end
    local fact = facts[row.name]
    if not fact then
        complain(row.where, "%s has no documentation page: say in the source column where its level comes from", row.name)
    elseif not fact.max then
        complain(row.where, "%s: its page states no level: say in the source column where it comes from", row.name)
    elseif fact.min ~= row.min or fact.max ~= row.max then
        complain(row.where, "%s is %s..%s, its page says %s..%s%s: correct it or say why in the source column", row.name,
                 row.min, row.max, fact.min, fact.max, fact.note and " (" .. fact.note .. ")" or "")
    else
        local bound = fact.note and fact.note:match("conditional%-max=(%u+)")
        -- Where the tighter case is pageable memory, the resident column says it.
        local kept = not bound or #row.resident > 0
        for _, condition in ipairs(row.conditions) do
            kept = kept or condition.max == bound
        end
        if not kept then
            complain(row.where, "%s: its page allows only %s in some case: add the condition or say why not in the source column",
                     row.name, M.level_name[bound] or bound)
        end
    end
end

return M
