/*
 * The registry for scenarios: one function carries an operation to the machine (__registry), two translate texts; what a
 * script sees is written in Lua on top of them (registry.lua).
 */
#include "registry/registry.h"

#include <stdlib.h>
#include <string.h>
#include "registry/utf.h"
#include "scenario/part.h"

/* Belong to the script while it may end by an error. */
struct streams {
    struct registry_stream request, answer;
};

static int free_streams(lua_State *L)
{
    struct streams *s = lua_touserdata(L, 1);
    free(s->request.bytes);
    free(s->answer.bytes);
    memset(s, 0, sizeof *s);
    return 0;
}

static struct streams *push_streams(lua_State *L)
{
    struct streams *s = lua_newuserdatauv(L, sizeof *s, 0);
    memset(s, 0, sizeof *s);
    if (luaL_newmetatable(L, "registry streams")) {
        lua_pushcfunction(L, free_streams);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    return s;
}

static void push_utf8(lua_State *L, const uint8_t *data, size_t bytes)
{
    luaL_Buffer out;
    uint16_t *wide = lua_newuserdatauv(L, bytes + 1, 0);
    char *text = luaL_buffinitsize(L, &out, bytes / 2 * 3 + 1);
    memcpy(wide, data, bytes);
    luaL_pushresultsize(&out, utf_to8(text, wide, bytes / 2));
    lua_remove(L, -2);
}

static int call_utf8(lua_State *L)
{
    size_t bytes = 0;
    const char *data = luaL_checklstring(L, 1, &bytes);
    push_utf8(L, (const uint8_t *)data, bytes);
    return 1;
}

static int call_utf16(lua_State *L)
{
    size_t bytes = 0, units = 0;
    const char *text = luaL_checklstring(L, 1, &bytes);
    uint16_t *wide = lua_newuserdatauv(L, (bytes + 1) * sizeof *wide, 0);
    if (!utf_from8(wide, &units, (const uint8_t *)text, bytes))
        return luaL_error(L, "invalid UTF-8 code");
    lua_pushlstring(L, (const char *)wide, units * sizeof *wide);
    return 1;
}

/* {op=, name=, type=, data=} */
static void push_record(lua_State *L, const struct registry_record *r)
{
    bool key = r->header.op == DOOR_REGISTRY_CREATE;
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, r->header.op);
    lua_setfield(L, -2, "op");
    push_utf8(L, (const uint8_t *)(key ? r->key : r->name), key ? r->header.key_bytes : r->header.name_bytes);
    lua_setfield(L, -2, "name");
    lua_pushinteger(L, r->header.type);
    lua_setfield(L, -2, "type");
    lua_pushlstring(L, (const char *)r->data, r->header.data_bytes);
    lua_setfield(L, -2, "data");
}

/* __registry(op, key[, name, type, data]): the NTSTATUS and a list of records */
static int call_registry(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    size_t bytes = 0, key_bytes = 0, name_bytes = 0;
    lua_Integer op = luaL_checkinteger(L, 1);
    const char *key = luaL_checklstring(L, 2, &key_bytes), *name = luaL_optlstring(L, 3, "", &name_bytes);
    lua_Integer type = luaL_optinteger(L, 4, 0);
    const char *data = luaL_optlstring(L, 5, "", &bytes);
    uint32_t status = 0;
    self(L)->begun = true;
    if (!m->registry)
        return luaL_error(L, "this machine has no registry");
    luaL_argcheck(L, strlen(key) == key_bytes && strlen(name) == name_bytes, 2, "a name with a zero in it");
    luaL_argcheck(L, type >= 0 && type <= UINT32_MAX, 4, "a type of 32 bits expected");
    struct streams *s = push_streams(L);
    if (!registry_add_text(&s->request, (enum door_registry_op)op, key, name, (uint32_t)type, data, bytes))
        return luaL_error(L, "names or data that no registry takes");
    if (!m->registry(m->context, &s->request, &s->answer, &status))
        return scenario_leave(L);
    lua_pushinteger(L, status);
    lua_newtable(L);
    struct registry_record record;
    lua_Integer n = 0;
    for (size_t at = 0; status < 0x80000000 && registry_next(&s->answer, &at, &record);) {
        push_record(L, &record);
        lua_rawseti(L, -2, ++n);
    }
    return 2;
}

void registry_open(lua_State *L)
{
    lua_register(L, "__registry", call_registry);
    lua_register(L, "__utf16", call_utf16);
    lua_register(L, "__utf8", call_utf8);
}

void registry_help(FILE *out)
{
    static const char *const lines[][2] = {
        {"registry_get(key, value)", "a value's data and its type; nil and the NTSTATUS when it isn't there"},
        {"registry_set(key[, value, data[, type]])",
         "make or replace a value, with all keys above it; returns the NTSTATUS"},
        {"registry_delete(key[, value])", "delete a value, or a key with all below it; returns the NTSTATUS"},
        {"registry_list(key)",
         "the names of its subkeys, those of its values; nil and the NTSTATUS when it isn't there"},
        {"counters(set[, instances])", "what a performance counter set tells: a list of {name=, id=, [counter]=}"},
        {"counter_instances(set[, instances])", "who is in it: a list of {name=, id=}"},
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        fprintf(out, "  %-26s %s\n", lines[i][0], lines[i][1]);
}
