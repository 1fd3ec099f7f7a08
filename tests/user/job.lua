-- drivers: job
-- Job objects: who is in them, limits, counts, messages, ends.
local OK, DENIED, BAD_HANDLE, MISMATCH, INVALID = 0, 0xC0000022, 0xC0000008, 0xC0000004, 0xC000000D
local IN_JOB, NOT_IN_JOB, QUOTA = 0x124, 0x123, 0xC0000044
local ALL = 0x1F003F
local SELF = -1 & 0xFFFFFFFFFFFFFFFF
local p = assert(launch("parent.exe"))
local b = p.scratch

local function create(q, access, name)
  local at, object = q.scratch, 0
  local copies = {{address = at, data = string.pack("<I8", 0)}, {address = at, bytes = 8}}
  if name then
    local wide = name:gsub(".", "%0\0")
    object = at + 0x40
    copies[3] = {address = object, data = string.pack("<I4I4I8I8I4I4I8I8", 48, 0, 0, at + 0x80, 0x40, 0, 0, 0)}
    copies[4] = {address = at + 0x80, data = string.pack("<I2I2I4I8", #wide, #wide, 0, at + 0xA0)}
    copies[5] = {address = at + 0xA0, data = wide}
  end
  local status, out = q:service("NtCreateJobObject", {at, access or ALL, object}, copies)
  return string.unpack("<I8", out[1]), status
end
local function handle(q, id)
  local status, out = p:service("NtOpenProcess", {b, 0x1FFFFF, b + 0x10, b + 0x40}, {
    {address = b + 0x10, data = string.pack("<I4I4I8I8I4I4I8I8", 48, 0, 0, 0, 0, 0, 0, 0)},
    {address = b + 0x40, data = string.pack("<I8I8", q.id, 0)}, {address = b, bytes = 8}})
  expect(status, OK)
  return (string.unpack("<I8", out[1]))
end
local function assign(job, process) return (p:service("NtAssignProcessToJobObject", {job, process})) end
local function within(process, job) return (p:service("NtIsProcessInJob", {process, job})) end
local function query(job, class, room)
  local status, out = p:service("NtQueryInformationJobObject", {job, class, b + 0x100, room, b},
    {{address = b, bytes = 4}, {address = b + 0x100, bytes = room}})
  return status, out[2]
end
local function set(job, class, data)
  return (p:service("NtSetInformationJobObject", {job, class, b + 0x100, #data}, {{address = b + 0x100, data = data}}))
end
local function limits(flags, active, process_memory, job_memory)
  return string.pack("<i8i8I4I4I8I8I4I4I8I4I4", 0, 0, flags, 0, 0, 0, active or 0, 0, 0, 0, 0) ..
    string.rep("\0", 48) .. string.pack("<I8I8I8I8", process_memory or 0, job_memory or 0, 0, 0)
end
local function counts(job)
  local status, data = query(job, 1, 48)
  expect(status, OK)
  local total, active, terminated = string.unpack("<I4I4I4", data, 37)
  return total, active, terminated
end
local function expect_counts(job, ...)
  local wanted, got = {...}, {counts(job)}
  for i = 1, 3 do expect(got[i], wanted[i], "count " .. i) end
end

-- A child is in its parent's job, the parent only if it was assigned.
local job = create(p)
expect(within(SELF, job), NOT_IN_JOB)
expect(within(SELF, 0), NOT_IN_JOB)
expect((query(0, 1, 48)), DENIED)
local a = assert(launch("a.exe", {parent = p}))
local ha = handle(a)
expect(assign(job, ha), OK)
expect(assign(job, ha), DENIED)                                -- it is in it already
expect(within(ha, job), IN_JOB)
expect(within(ha, 0), IN_JOB)
expect(within(SELF, job), NOT_IN_JOB)
local child = assert(launch("child.exe", {parent = a}))
local hc = handle(child)
expect(within(hc, job), IN_JOB)
expect_counts(job, 2, 2, 0)
local status, list = query(job, 3, 32)
expect(status, OK)
expect((string.unpack("<I4I4I8I8", list)), 2)
expect(({string.unpack("<I4I4I8I8", list)})[3], a.id)
expect(({string.unpack("<I4I4I8I8", list)})[4], child.id)
expect((query(job, 3, 16)), 0x80000005)                        -- room for one
expect((query(job, 3, 8)), MISMATCH)
expect((query(job, 1, 47)), MISMATCH)
expect((query(job, 99, 48)), 0xC0000003)
expect_print("job: process " .. a.id .. " is in a job")
expect_print("job: process " .. p.id .. " is in none")

-- Messages to a port.
local status, out = p:service("NtCreateIoCompletion", {b, 0x1F0003, 0, 0},
  {{address = b, data = string.pack("<I8", 0)}, {address = b, bytes = 8}})
local port = string.unpack("<I8", out[1])
local function message()
  local status, out = p:service("NtRemoveIoCompletion", {port, b, b + 8, b + 16, b + 32}, {
    {address = b + 32, data = string.pack("<i8", 0)}, {address = b, bytes = 8}, {address = b + 8, bytes = 8},
    {address = b + 16, bytes = 16}})
  if status ~= OK then return nil end
  local key, who, _, what = string.unpack("<I8", out[1]), string.unpack("<I8", out[2]), string.unpack("<I8I8", out[3])
  return what, who, key
end
local function expect_message(what, who)
  local got, whose, key = message()
  expect(got, what, "message")
  expect(whose, who, "whose")
  expect(key, 0x1234)
end
expect(set(job, 7, string.pack("<I8I8", 0x1234, 0x7777)), BAD_HANDLE)
expect(set(job, 7, string.pack("<I8I8", 0x1234, port)), OK)
expect(set(job, 7, string.pack("<I8I8", 0x1234, port)), INVALID)
local second = assert(launch("second.exe", {parent = a}))
expect_message(6, second.id)
second:exit(3)
expect_message(7, second.id)
child:crash()
expect_message(8, child.id)
expect(message(), nil)
expect_counts(job, 3, 1, 0)

-- The number of processes: a child is refused, a process that is assigned ends.
expect(set(job, 9, limits(8, 1)), OK)
local refused, why = launch("refused.exe", {parent = a})
expect(refused, nil)
expect(why, QUOTA)
expect_message(3, 0)
local b2 = assert(launch("b.exe", {parent = p}))
local hb = handle(b2)
expect(assign(job, hb), QUOTA)
expect_message(3, 0)
expect(within(hb, job), NOT_IN_JOB)
advance(0.001)
expect((p:service("NtWaitForSingleObject", {hb, 0, b}, {{address = b, data = string.pack("<i8", 0)}})), OK)
expect_counts(job, 3, 1, 1)
expect(({string.unpack("<i8i8I4", select(2, query(job, 9, 144)))})[3], 8)
expect(set(job, 9, limits(0x8000)), INVALID)
expect(set(job, 2, limits(8, 0):sub(1, 64)), INVALID)
expect(set(job, 2, limits(0x2000):sub(1, 64)), INVALID)         -- not in the short form
expect(set(job, 9, limits(0x10)), 0xC00000BB)                   -- affinity: not here
expect(set(job, 9, limits(8, 1):sub(2)), MISMATCH)
expect(set(job, 1, string.rep("\0", 48)), 0xC0000003)

-- Memory.
expect(set(job, 9, limits(0x100, 0, 1)), INVALID)
local status, data = query(job, 9, 144)
expect(set(job, 9, limits(0x100, 0, 8 << 20)), OK)
expect(a:allocate(4 << 20) ~= nil, true)
local none, why = a:allocate(16 << 20)
expect(none, nil)
expect(why, 0xC000012D)
expect_message(9, a.id)
expect(set(job, 9, limits(0)), OK)
expect(a:allocate(16 << 20) ~= nil, true)

-- Nested: what is in one goes to one below it; the one above knows of both.
local inner = create(p)
expect(assign(inner, ha), OK)
expect(within(ha, job), IN_JOB)
expect(within(ha, inner), IN_JOB)
expect_counts(job, 3, 1, 1)
expect_counts(inner, 1, 1, 0)
local other = create(p)
local c = assert(launch("c.exe", {parent = p}))
local hcc = handle(c)
expect(assign(other, hcc), OK)
expect(assign(inner, hcc), DENIED)                              -- of another family
expect(assign(other, ha), DENIED)
local d = assert(launch("d.exe", {parent = a}))
expect_message(6, d.id)
expect_counts(inner, 2, 2, 0)
expect_counts(job, 4, 2, 1)

-- Silent breakaway: the child is in the job above only.
expect(set(inner, 9, limits(0x1000)), OK)
local e = assert(launch("e.exe", {parent = a}))
expect_message(6, e.id)
expect_counts(inner, 2, 2, 0)
expect_counts(job, 5, 3, 1)

-- The end of a job is that of all in it and below.
expect((p:service("NtTerminateJobObject", {inner, 0x55})), OK)
advance(0.001)
expect_counts(inner, 2, 0, 0)
expect_counts(job, 5, 1, 1)
expect_message(7, a.id)
expect_message(7, d.id)
expect(within(ha, inner), IN_JOB)                                -- it was
expect((p:service("NtTerminateJobObject", {0x4444, 0})), BAD_HANDLE)
expect(assign(job, ha), 0xC000010A)
e:exit()
expect_message(7, e.id)
expect_message(4, 0)
expect(message(), nil)

-- The last handle.
expect(set(other, 9, limits(0x2000)), OK)
p:close(other)
advance(0.001)
expect((p:service("NtWaitForSingleObject", {hcc, 0, b}, {{address = b, data = string.pack("<i8", 0)}})), OK)

-- Names and rights.
local named, made = create(p, ALL, [[\BaseNamedObjects\TheJob]])
expect(made, OK)
local again, there = create(p, ALL, [[\BaseNamedObjects\TheJob]])
expect(there, 0xC0000035)
local weak = create(p, 4)
expect(assign(weak, SELF), DENIED)
expect(set(weak, 4, string.pack("<I4", 1)), DENIED)
expect((query(weak, 4, 4)), OK)
expect(set(named, 4, string.pack("<I4", 0x100)), INVALID)
expect(set(named, 4, string.pack("<I4", 0x41)), OK)
expect(select(2, query(named, 4, 4)), string.pack("<I4", 0x41))
expect(assign(named, SELF), OK)
expect(({string.unpack("<I4", select(2, query(0, 4, 4)))})[1], 0x41)  -- one's own
expect_print("job: a kernel's job works")
