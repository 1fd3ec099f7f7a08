-- Every rule that the kernel can find broken has its sentence in contracts/rules.tsv.
local known, missing = {}, 0
for line in io.lines("contracts/rules.tsv") do
    known[line:match("^[^\t]*")] = true
end
local pipe = io.popen([[grep -rnoE '"(apc|device|driver|irp|irql|lock|memory|object|pool|unload|workitem)\.[a-z-]+"' nt]])
for line in pipe:lines() do
    local place, id = line:match("^(.-:%d+):\"(.*)\"$")
    if not known[id] then
        print(place .. ": no rule " .. id .. " in contracts/rules.tsv")
        missing = missing + 1
    end
end
pipe:close()
os.exit(missing == 0)
