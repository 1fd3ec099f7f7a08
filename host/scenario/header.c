/*
 * See header.h. The script runs in a state of its own in which the first call of anything that is not Lua's ends it; the
 * same limits hold as for the run.
 */
#include "scenario/header.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "door.h"

enum { LIMIT = 16 << 20, STEPS = 1000000 };

struct reading {
    struct scenario_header *header;
    size_t memory;
    bool wrong;
    char *why; /* 256 bytes */
};

static struct reading *self(lua_State *L)
{
    return *(struct reading **)lua_getextraspace(L);
}

static void *allocate(void *context, void *block, size_t old, size_t bytes)
{
    struct reading *r = context;
    old = block ? old : 0;
    if (bytes > old && bytes - old > LIMIT - r->memory)
        return NULL;
    void *grown = bytes ? realloc(block, bytes) : (free(block), NULL);
    if (!bytes || grown)
        r->memory += bytes - old;
    return grown;
}

static void hook(lua_State *L, lua_Debug *debug)
{
    (void)debug;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    luaL_error(L, "enough");
}

/* Ends the script, whatever it would catch. */
static int stop(lua_State *L)
{
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    return luaL_error(L, "enough");
}

static int wrong(lua_State *L, const char *format, const char *what)
{
    self(L)->wrong = true;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    lua_Debug debug;
    int level = 1;
    while (lua_getstack(L, level, &debug) && lua_getinfo(L, "l", &debug) && debug.currentline < 0)
        level++; /* a C function, such as pcall */
    luaL_where(L, level);
    lua_pushfstring(L, format, what);
    lua_concat(L, 2);
    snprintf(self(L)->why, 256, "%s", lua_tostring(L, -1));
    return lua_error(L);
}

static void read_number(lua_State *L, const char *name, uint64_t least, uint64_t most, uint64_t *value)
{
    int whole = 0;
    lua_Integer given = lua_tointegerx(L, -1, &whole);
    if (!whole || lua_type(L, -1) != LUA_TNUMBER || (most && ((uint64_t)given < least || (uint64_t)given > most)))
        wrong(L, "machine: %s is no such number", name);
    *value = (uint64_t)given;
}

static void read_drivers(lua_State *L, struct scenario_header *h)
{
    if (lua_type(L, -1) != LUA_TTABLE)
        wrong(L, "machine: drivers is a list of %s", "file names");
    h->named = true;
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
        size_t bytes = 0;
        const char *name = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &bytes) : NULL;
        if (!name || !bytes || bytes >= HEADER_NAME || strlen(name) != bytes || strpbrk(name, "/\\") || *name == '.')
            wrong(L, "machine: drivers: %s is no plain file name", name ? name : "that");
        if (h->drivers == HEADER_DRIVERS)
            wrong(L, "machine: too many %s", "drivers");
        memcpy(h->driver[h->drivers++], name, bytes + 1);
    }
    lua_pop(L, 1);
}

/* As --device has them. */
static void read_devices(lua_State *L, struct scenario_header *h)
{
    if (lua_type(L, -1) != LUA_TTABLE)
        wrong(L, "machine: devices is a list of %s", "ID=DRIVER");
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++, lua_pop(L, 1)) {
        size_t bytes = 0;
        const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &bytes) : NULL;
        if (!text || !bytes || bytes >= HEADER_DEVICE || strlen(text) != bytes || h->devices == HEADER_DEVICES) {
            wrong(L, "machine: devices: %s is no device, or one too many", text ? text : "that");
            return;
        }
        memcpy(h->device[h->devices++], text, bytes + 1);
    }
    lua_pop(L, 1);
}

static void read_on_finding(lua_State *L, struct scenario_header *h)
{
    const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";
    h->on_finding = !strcmp(text, "stop") ? 1 : !strcmp(text, "continue") ? 2 : 0;
    if (!h->on_finding)
        wrong(L, "machine: on_finding is \"stop\" or %s", "\"continue\"");
}

static int call_machine(lua_State *L)
{
    struct scenario_header *h = self(L)->header;
    if (lua_type(L, 1) != LUA_TTABLE)
        return wrong(L, "machine: a table expected%s", "");
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        const char *name = lua_type(L, -2) == LUA_TSTRING ? lua_tostring(L, -2) : "?";
        if (!strcmp(name, "cpus"))
            read_number(L, name, 1, DOOR_PROCESSORS, &h->cpus);
        else if (!strcmp(name, "seed")) {
            read_number(L, name, 0, 0, &h->seed);
            h->seeded = true;
        } else if (!strcmp(name, "drivers"))
            read_drivers(L, h);
        else if (!strcmp(name, "devices"))
            read_devices(L, h);
        else if (!strcmp(name, "on_finding"))
            read_on_finding(L, h);
        else
            return wrong(L, "machine: there is no '%s'; cpus, seed, drivers, devices, on_finding", name);
    }
    return stop(L);
}

/* What is not Lua's own is the machine's. */
static int missing_global(lua_State *L)
{
    lua_pushcfunction(L, stop);
    return 1;
}

struct script {
    const char *path, *text;
    size_t bytes;
};

static int protected_run(lua_State *L)
{
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};
    static const char *const removed[] = {"collectgarbage", "dofile", "loadfile", "require", "warn", "print"};
    struct script *script = lua_touserdata(L, 1);
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        lua_pushnil(L);
        lua_setglobal(L, removed[i]);
    }
    lua_register(L, "machine", call_machine);
    lua_pushglobaltable(L);
    lua_newtable(L);
    lua_pushcfunction(L, missing_global);
    lua_setfield(L, -2, "__index");
    lua_setmetatable(L, -2);
    lua_pushfstring(L, "@%s", script->path);
    int status = luaL_loadbufferx(L, script->text, script->bytes, lua_tostring(L, -1), "t");
    if (status == LUA_ERRSYNTAX) { /* known before a driver is loaded */
        self(L)->wrong = true;
        snprintf(self(L)->why, 256, "%s", lua_tostring(L, -1));
    }
    if (status != LUA_OK)
        return lua_error(L);
    lua_sethook(L, hook, LUA_MASKCOUNT, STEPS);
    lua_call(L, 0, 0);
    return 0;
}

bool scenario_header(const char *path, const char *text, size_t bytes, struct scenario_header *h, char why[256])
{
    struct reading r = {.header = h, .why = why};
    struct script script = {path, text, bytes};
    memset(h, 0, sizeof *h);
    *why = 0;
    lua_State *L = lua_newstate(allocate, &r);
    if (!L) {
        snprintf(why, 256, "%s: out of memory", path);
        return false;
    }
    *(struct reading **)lua_getextraspace(L) = &r;
    lua_pushcfunction(L, protected_run);
    lua_pushlightuserdata(L, &script);
    lua_pcall(L, 1, 0, 0); /* how it ends says nothing: it is ended */
    lua_sethook(L, NULL, 0, 0);
    lua_close(L);
    return !r.wrong;
}
