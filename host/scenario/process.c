/*
 * User processes for scenarios. Two functions in C carry everything (__call, __collect: see door.h, struct door_call);
 * what a script sees is written in Lua on top of them (process.lua).
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

void process_help(FILE *out)
{
    static const char *const lines[][2] = {
        {"read_file(path)", "what is in a file of the machine; nil and the NTSTATUS when it can't be opened"},
        {"write_file(path, data)", "make or replace a file of the machine; returns the NTSTATUS"},
        {"launch(image[, options])",
         "start a user process: command_line, wow64, parent; nil and the NTSTATUS when it was refused"},
        {"process:open(path[, access, options, disposition])", "a handle, or nil and the NTSTATUS"},
        {"process:close(handle)", "returns the NTSTATUS"},
        {"process:read(handle, bytes[, offset])", "returns the NTSTATUS and what was read"},
        {"process:write(handle, data[, offset])", "returns the NTSTATUS and how much was written"},
        {"process:control(handle, code[, input, room])",
         "a device control; returns the NTSTATUS, the output, IoStatus.Information"},
        {"process:service(name, arguments[, copies, options])",
         "any system service; returns the NTSTATUS, what was copied outward, APCs, a slot if it is pending"},
        {"process:collect(slot)", "is that request done? as service returns it"},
        {"process:allocate(bytes[, address, protection, kind])",
         "memory of the process; its address, or nil and the NTSTATUS"},
        {"process:free(address[, bytes])", "give it back, or decommit that much; returns the NTSTATUS"},
        {"process:poke(address, data)", "the program writes to its memory; returns the NTSTATUS"},
        {"process:peek(address, bytes)", "the program reads its memory; nil and the NTSTATUS when it faults"},
        {"process:exit([status])", "it ends"},
        {"process:crash([code])", "an exception that nobody handles ends it (0xC0000005)"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fprintf(out, "  %-26s %s\n", lines[i][0], lines[i][1]);
}
