/*
 * User processes for scenarios. Two functions in C carry everything (__call, __collect: see door.h, struct door_call);
 * what a script sees is written in Lua on top of them.
 */
#include <stdlib.h>
#include <string.h>
#include "door.h"
#include "scenario/part.h"

static const char *const services[] = {
#define SERVICE_NAME(Name) [DOOR_SERVICE_##Name] = "Nt" #Name,
    DOOR_SERVICES(SERVICE_NAME)
#undef SERVICE_NAME
};

static lua_Integer field(lua_State *L, int table, const char *name)
{
    lua_getfield(L, table, name);
    lua_Integer value = lua_tointeger(L, -1);
    lua_pop(L, 1);
    return value;
}

/* The bytes of a call: copies of strings inward, room for those outward. Returns their number. */
static uint64_t gather(lua_State *L, int copies, struct door_call *call, uint8_t *data, uint64_t room)
{
    uint64_t used = 0;
    for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, copies); i <= n; i++) {
        if (call->copies == DOOR_CALL_COPIES)
            luaL_error(L, "more than %d copies", DOOR_CALL_COPIES);
        struct door_copy *copy = &call->copy[call->copies++];
        lua_rawgeti(L, copies, i);
        int entry = lua_gettop(L);
        luaL_checktype(L, entry, LUA_TTABLE);
        size_t bytes = 0;
        lua_getfield(L, entry, "data");
        const char *text = lua_tolstring(L, -1, &bytes);
        copy->address = (uint64_t)field(L, entry, "address");
        copy->bytes = text ? (uint32_t)bytes : (uint32_t)field(L, entry, "bytes");
        copy->offset = (uint32_t)used;
        copy->when = text ? DOOR_COPY_IN : DOOR_COPY_OUT;
        if (copy->bytes > room - used)
            luaL_error(L, "more than %d bytes in one call", (int)room);
        if (text)
            memcpy(data + used, text, bytes);
        used += copy->bytes;
        lua_settop(L, entry - 1);
    }
    return used;
}

/* status, value, {what was copied outward}, {{routine, a, b, c}...}, slot or nil, the first two arguments */
static int push_reply(lua_State *L, const struct door_call *call, const uint8_t *data, uint32_t slot)
{
    if (call->state != DOOR_CALL_DONE) {
        lua_pushinteger(L, 0x103); /* STATUS_PENDING */
        lua_pushnil(L);
        lua_pushnil(L);
        lua_pushnil(L);
        lua_pushinteger(L, slot);
        return 5;
    }
    lua_pushinteger(L, call->status);
    lua_pushinteger(L, (lua_Integer)call->value);
    lua_newtable(L);
    lua_Integer n = 0;
    for (uint32_t i = 0; i < call->copies && i < DOOR_CALL_COPIES; i++)
        if (call->copy[i].when != DOOR_COPY_IN && (uint64_t)call->copy[i].offset + call->copy[i].bytes <= call->bytes) {
            lua_pushlstring(L, (const char *)data + call->copy[i].offset, call->copy[i].bytes);
            lua_rawseti(L, -2, ++n);
        }
    lua_newtable(L);
    for (uint32_t i = 0; i < call->apcs; i++) {
        lua_newtable(L);
        for (int k = 0; k < 4; k++) {
            lua_pushinteger(L, (lua_Integer)(k ? call->apc[i].argument[k - 1] : call->apc[i].routine));
            lua_rawseti(L, -2, k + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_pushnil(L);
    lua_pushinteger(L, (lua_Integer)call->argument[0]);
    lua_pushinteger(L, (lua_Integer)call->argument[1]);
    return 7;
}

/* __call{kind=, process=, thread=, service=, wait=, limit=, arguments={}, copies={}} or text= for LAUNCH */
static int call_call(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    struct door_call *call = lua_newuserdatauv(L, sizeof *call, 0);
    uint64_t room = DOOR_USER_DATA;
    uint8_t *data = self(L)->data;
    uint32_t slot = 0;
    luaL_checktype(L, 1, LUA_TTABLE);
    self(L)->begun = true;
    if (!m->call)
        return luaL_error(L, "this machine has no user mode");
    if (!data && !(data = self(L)->data = malloc(room)))
        return luaL_error(L, "out of memory");
    memset(call, 0, sizeof *call);
    call->kind = (uint32_t)field(L, 1, "kind");
    call->process = (uint32_t)field(L, 1, "process");
    call->thread = (uint32_t)field(L, 1, "thread");
    call->service = (uint32_t)field(L, 1, "service");
    lua_getfield(L, 1, "arguments");
    for (int i = 0; i < DOOR_CALL_ARGUMENTS && lua_istable(L, -1); i++) {
        lua_rawgeti(L, -1, i + 1);
        call->argument[i] = (uint64_t)lua_tointeger(L, -1);
        lua_pop(L, 1);
    }
    lua_getfield(L, 1, "text");
    size_t bytes = 0;
    const char *text = lua_tolstring(L, -1, &bytes);
    if (text && bytes <= room) {
        memcpy(data, text, bytes);
        call->bytes = bytes;
    }
    lua_getfield(L, 1, "copies");
    if (lua_istable(L, -1))
        call->bytes = gather(L, lua_gettop(L), call, data, room);
    lua_getfield(L, 1, "wait");
    bool wait = lua_toboolean(L, -1);
    if (!m->call(m->context, call, data, wait, (uint64_t)field(L, 1, "limit"), &slot))
        return scenario_leave(L);
    if (call->state != DOOR_CALL_DONE) {
        /* Where the outward copies lie must be known when it is collected. */
        struct door_call *kept = lua_newuserdatauv(L, sizeof *kept, 0);
        memcpy(kept, call, sizeof *kept);
        lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)(uintptr_t)(slot + 1));
    }
    return push_reply(L, call, data, slot);
}

static int call_collect(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    lua_Integer slot = luaL_checkinteger(L, 1);
    luaL_argcheck(L,
                  slot >= 0 && slot < DOOR_CALLS &&
                      lua_rawgetp(L, LUA_REGISTRYINDEX, (void *)(uintptr_t)(slot + 1)) == LUA_TUSERDATA,
                  1, "no such request");
    struct door_call *call = lua_touserdata(L, -1);
    m->collect(m->context, (uint32_t)slot, call, self(L)->data);
    if (call->state == DOOR_CALL_DONE) {
        lua_pushnil(L);
        lua_rawsetp(L, LUA_REGISTRYINDEX, (void *)(uintptr_t)(slot + 1));
    }
    return push_reply(L, call, self(L)->data, (uint32_t)slot);
}

void process_open(lua_State *L)
{
    lua_register(L, "__call", call_call);
    lua_register(L, "__collect", call_collect);
    lua_newtable(L);
    for (size_t i = 0; i < sizeof services / sizeof *services; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_setfield(L, -2, services[i]);
    }
    lua_setglobal(L, "__services");
}

static const char prelude[] =
    "local call, collect, services = __call, __collect, __services\n"
    "__call, __collect, __services = nil, nil, nil\n"
    "local pack, unpack, utf16 = string.pack, string.unpack, nil\n"
    "function utf16(text)\n"
    "  local out = {}\n"
    "  for _, c in utf8.codes(text) do\n"
    "    out[#out + 1] = c < 0x10000 and pack('<I2', c) or\n"
    "      pack('<I2I2', 0xd800 + (c - 0x10000 >> 10), 0xdc00 + (c - 0x10000 & 0x3ff))\n"
    "  end\n"
    "  return table.concat(out)\n"
    "end\n"
    "local Process = {}\n"
    "Process.__index = Process\n"
    "Process.__name = 'process'\n"
    "function Process.__tostring(p) return 'process ' .. p.id end\n"
    /* One service, with arguments as user mode passes them; copies: {address=, data=} before, {address=, bytes=} after
     */
    "function Process.service(p, name, arguments, copies, options)\n"
    "  options = options or {}\n"
    "  local status, value, out, apcs, slot = call{kind = 3, process = p.id, thread = options.thread, wait = not "
    "options.post,\n"
    "    limit = options.limit, service = services[name] or error('no service ' .. tostring(name), 2), arguments = "
    "arguments, copies = copies}\n"
    "  return status, out, apcs, slot\n"
    "end\n"
    "function Process.collect(p, slot)\n"
    "  local status, value, out, apcs, again = collect(slot)\n"
    "  return status, out, apcs, again\n"
    "end\n"
    "function Process.poke(p, address, data)\n"
    "  return (call{kind = 4, process = p.id, wait = true, copies = {{address = address, data = data}}})\n"
    "end\n"
    "function Process.peek(p, address, bytes)\n"
    "  local status, _, out = call{kind = 4, process = p.id, wait = true, copies = {{address = address, bytes = "
    "bytes}}}\n"
    "  if status >= 0x80000000 then return nil, status end\n"
    "  return out[1]\n"
    "end\n"
    "function Process.allocate(p, bytes, address, protection, kind)\n"
    "  local b = p.scratch\n"
    "  local status, out = p:service('NtAllocateVirtualMemory', {-1, b, 0, b + 8, kind or 0x3000, protection or 4},\n"
    "    {{address = b, data = pack('<i8i8', address or 0, bytes)}, {address = b, bytes = 8}})\n"
    "  if status >= 0x80000000 then return nil, status end\n"
    "  return (unpack('<i8', out[1]))\n"
    "end\n"
    "function Process.free(p, address, bytes)\n"
    "  local b = p.scratch\n"
    "  return (p:service('NtFreeVirtualMemory', {-1, b, b + 8, bytes and 0x4000 or 0x8000},\n"
    "    {{address = b, data = pack('<i8i8', address, bytes or 0)}}))\n"
    "end\n"
    "function Process.open(p, path, access, options, disposition)\n"
    "  local b, name = p.scratch, utf16(path)\n"
    "  local status, out = p:service('NtCreateFile', {b, access or 0xC0100000, b + 0x20, b + 0x10, 0, 0x80, 3, "
    "disposition or 1, options or 0x20, 0, 0},\n"
    "    {{address = b + 0x20, data = pack('<I4I4i8i8I4I4i8i8', 48, 0, 0, b + 0x50, 0x40, 0, 0, 0)},\n"
    "     {address = b + 0x50, data = pack('<I2I2I4i8', #name, #name, 0, b + 0x60)}, {address = b + 0x60, data = "
    "name},\n"
    "     {address = b, bytes = 8}})\n"
    "  if status >= 0x80000000 then return nil, status end\n"
    "  return (unpack('<i8', out[1]))\n"
    "end\n"
    "function Process.close(p, handle) return (p:service('NtClose', {handle})) end\n"
    "local function buffer(p, bytes)\n"
    "  if bytes > p.room then\n"
    "    p.buffer = p:allocate(bytes)\n"
    "    p.room = bytes\n"
    "  end\n"
    "  return p.buffer\n"
    "end\n"
    /* status, output, number of bytes the driver says */
    "function Process.control(p, handle, code, input, room, service)\n"
    "  local b, input, room = p.scratch, input or '', room or 0\n"
    "  local at = buffer(p, #input + room + 16)\n"
    "  local out = at + (#input + 15 & ~15)\n"
    "  local status, copied = p:service(service or 'NtDeviceIoControlFile', {handle, 0, 0, 0, b, code, #input > 0 and "
    "at or 0, #input,\n"
    "    room > 0 and out or 0, room}, {{address = at, data = input}, {address = b, data = pack('<i8i8', 0, 0)}, "
    "{address = b, bytes = 16}, {address = out, bytes = room}})\n"
    "  local _, information = unpack('<i8i8', copied[1])\n"
    "  return status, (copied[2] or ''):sub(1, information), information\n"
    "end\n"
    "local function transfer(p, service, handle, at, bytes, offset, copies)\n"
    "  local b = p.scratch\n"
    "  table.insert(copies, 1, {address = b, data = pack('<i8i8i8', 0, 0, offset or 0)})\n"
    "  table.insert(copies, {address = b, bytes = 16})\n"
    "  local status, out = p:service(service, {handle, 0, 0, 0, b, at, bytes, offset and b + 16 or 0, 0}, copies)\n"
    "  return status, out, (select(2, unpack('<i8i8', out[#out])))\n"
    "end\n"
    "function Process.read(p, handle, bytes, offset)\n"
    "  local at = buffer(p, bytes)\n"
    "  local status, out, information = transfer(p, 'NtReadFile', handle, at, bytes, offset, {{address = at, bytes = "
    "bytes}})\n"
    "  return status, out[1]:sub(1, information)\n"
    "end\n"
    "function Process.write(p, handle, data, offset)\n"
    "  local at = buffer(p, #data)\n"
    "  local status, _, information = transfer(p, 'NtWriteFile', handle, at, #data, offset, {{address = at, data = "
    "data}})\n"
    "  return status, information\n"
    "end\n"
    "function Process.exit(p, status)\n"
    "  return (p:service('NtTerminateProcess', {-1, status or 0}))\n"
    "end\n"
    "function Process.crash(p, code)\n"
    "  return (call{kind = 5, process = p.id, wait = true, arguments = {code or 0xC0000005}})\n"
    "end\n"
    "function launch(image, options)\n"
    "  options = options or {}\n"
    "  local status, id, _, _, _, thread, stack = call{kind = 1, process = options.parent and options.parent.id or 4, "
    "wait = true,\n"
    "    arguments = {options.wow64 and 1 or 0}, text = image .. '\\0' .. (options.command_line or '') .. '\\0'}\n"
    "  if status >= 0x80000000 then return nil, status end\n"
    "  return setmetatable({id = id, thread = thread, scratch = stack, room = 0}, Process)\n"
    "end\n"
    /* Files of the machine, by a process of the scenario's own: no more than a program there could do */
    "local own\n"
    "local function file(path, access, disposition)\n"
    "  if not own then own = assert(launch('scenario.exe')) end\n"
    "  local name = path:match('^%a:') and path or 'C:\\\\' .. path\n"
    "  return own:open('\\\\??\\\\' .. name:gsub('/', '\\\\'), access, 0x60, disposition)\n"
    "end\n"
    "function read_file(path)\n"
    "  local handle, status = file(path, 0x80100000)\n"
    "  if not handle then return nil, status end\n"
    "  local parts, at = {}, 0\n"
    "  repeat\n"
    "    local status, part = own:read(handle, 65536, at)\n"
    "    if status ~= 0 then part = '' end\n"
    "    parts[#parts + 1] = part\n"
    "    at = at + #part\n"
    "  until #part == 0\n"
    "  own:close(handle)\n"
    "  return table.concat(parts)\n"
    "end\n"
    "function write_file(path, data)\n"
    "  local handle, status = file(path, 0x40100000, 5)\n"
    "  if not handle then return status end\n"
    "  for at = 0, #data - 1, 65536 do\n"
    "    status = own:write(handle, data:sub(at + 1, at + 65536), at)\n"
    "    if status ~= 0 then break end\n"
    "  end\n"
    "  own:close(handle)\n"
    "  return status or 0\n"
    "end\n";

void process_prelude(lua_State *L)
{
    if (luaL_loadbufferx(L, prelude, sizeof prelude - 1, "=process", "t") != LUA_OK)
        lua_error(L);
    lua_call(L, 0, 0);
}

void process_help(FILE *out)
{
    static const char *const lines[][2] = {
        {"read_file(path)", "what is in a file of the machine; nil and the NTSTATUS when it can't be opened"},
        {"write_file(path, data)", "make or replace a file of the machine; returns the NTSTATUS"},
        {"launch(image[, options])", "start a user process: command_line, wow64, parent; nil and the NTSTATUS when it was refused"},
        {"process:open(path[, access, options, disposition])", "a handle, or nil and the NTSTATUS"},
        {"process:close(handle)", "returns the NTSTATUS"},
        {"process:read(handle, bytes[, offset])", "returns the NTSTATUS and what was read"},
        {"process:write(handle, data[, offset])", "returns the NTSTATUS and how much was written"},
        {"process:control(handle, code[, input, room])", "a device control; returns the NTSTATUS, the output, IoStatus.Information"},
        {"process:service(name, arguments[, copies, options])", "any system service; returns the NTSTATUS, what was copied outward, APCs, a slot if it is pending"},
        {"process:collect(slot)", "is that request done? as service returns it"},
        {"process:allocate(bytes[, address, protection, kind])", "memory of the process; its address, or nil and the NTSTATUS"},
        {"process:free(address[, bytes])", "give it back, or decommit that much; returns the NTSTATUS"},
        {"process:poke(address, data)", "the program writes to its memory; returns the NTSTATUS"},
        {"process:peek(address, bytes)", "the program reads its memory; nil and the NTSTATUS when it faults"},
        {"process:exit([status])", "it ends"},
        {"process:crash([code])", "an exception that nobody handles ends it (0xC0000005)"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fprintf(out, "  %-26s %s\n", lines[i][0], lines[i][1]);
}
