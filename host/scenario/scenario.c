/*
 * See scenario.h. A run of the same scenario must be the same run: so `pairs` goes in the order of the keys (Lua's own
 * order depends on addresses), math.random starts from the machine's seed, and nothing shows a pointer.
 */
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "door.h"
#include "scenario/part.h"

enum { MEMORY_LIMIT = 64 << 20, HOOK_INTERVAL = 1000000, HOOK_LIMIT = 200 };

/*
 * Called every HOOK_INTERVAL instructions, and at each one as soon as the script must end: no pcall holds it then. The
 * place is given here because a hook has no call of its own that luaL_error could take it from.
 */
static void hook(lua_State *L, lua_Debug *debug)
{
    struct scenario *s = self(L);
    if (!s->ended && ++s->hooks < HOOK_LIMIT)
        return;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    lua_getinfo(L, "Sl", debug);
    lua_pushfstring(L, "%s:%d: the script runs for too long", debug->short_src, debug->currentline);
    lua_error(L);
}

/* The machine has ended in a call: leave the script, whatever it would catch. */
int scenario_leave(lua_State *L)
{
    self(L)->ended = true;
    lua_sethook(L, hook, LUA_MASKCOUNT, 1);
    return luaL_error(L, "the machine has ended");
}

void scenario_fail(lua_State *L, const char *why)
{
    struct scenario_result *r = self(L)->result;
    r->unmet = true;
    snprintf(r->error, sizeof r->error, "%s", why);
    r->error[strcspn(r->error, "\n")] = 0;
}

static int call_advance(lua_State *L)
{
    self(L)->begun = true;
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds <= 1e9, 1, "seconds from 0 to 1e9 expected");
    const struct scenario_machine *m = self(L)->machine;
    return m->advance(m->context, (uint64_t)llround(seconds * 1e7)) ? 0 : scenario_leave(L);
}

static int call_set_time(lua_State *L)
{
    self(L)->begun = true;
    lua_Integer time = luaL_checkinteger(L, 1);
    uint64_t value = (uint64_t)time;
    uint32_t status = 0;
    const struct scenario_machine *m = self(L)->machine;
    luaL_argcheck(L, time >= 0, 1, "a time in 100 ns since 1601 expected");
    if (!m->command(m->context, DOOR_COMMAND_TIME, &value, &status))
        return scenario_leave(L);
    luaL_argcheck(L, status < 0x80000000, 1, "later than the last year there is");
    lua_pushinteger(L, (lua_Integer)value);
    return 1;
}

static int load_or_unload(lua_State *L, bool (*call)(void *, const char *, uint32_t *))
{
    self(L)->begun = true;
    const struct scenario_machine *m = self(L)->machine;
    const char *name = luaL_checkstring(L, 1);
    uint32_t status = 0;
    luaL_argcheck(L, m->known(m->context, name), 1, "no driver of that name was given on the command line");
    if (!call(m->context, name, &status))
        return scenario_leave(L);
    lua_pushinteger(L, status);
    return 1;
}

static int call_load(lua_State *L)
{
    return load_or_unload(L, self(L)->machine->load);
}

static int call_unload(lua_State *L)
{
    return load_or_unload(L, self(L)->machine->unload);
}

static int call_snapshot(lua_State *L)
{
    self(L)->begun = true;
    const struct scenario_machine *m = self(L)->machine;
    return m->snapshot(m->context) ? 0 : scenario_leave(L);
}

static int call_expect_bugcheck(lua_State *L)
{
    lua_Integer code = luaL_checkinteger(L, 1);
    luaL_argcheck(L, code >= 0 && code <= UINT32_MAX, 1, "a bug check code expected, such as 0xA");
    self(L)->result->expects_bugcheck = true;
    self(L)->result->bugcheck = (uint32_t)code;
    return 0;
}

/* Read before the machine was made (header.h); here it must only have come first. */
static int call_machine(lua_State *L)
{
    luaL_checktype(L, 1, LUA_TTABLE);
    if (self(L)->begun)
        return luaL_error(L, "machine{...} must be the first call of a scenario");
    self(L)->begun = true;
    return 0;
}

/* What the operator does to the hardware: the name of the script's function and the command with its argument. */
static const struct {
    const char *name;
    uint32_t code;
    bool of_processor; /* takes a processor's number, 0 when none is given */
    bool count;        /* returns the reply */
    uint64_t value;
    const char *shape, *help;
} commands[] = {
    {"nmi", DOOR_COMMAND_NMI, .of_processor = true, .shape = "nmi([processor])", .help = "a non-maskable interrupt"},
    {"machine_check", DOOR_COMMAND_MACHINE_CHECK, .of_processor = true, .shape = "machine_check([processor])",
     .help = "an error of the hardware that cannot be corrected"},
    {"profile_tick", DOOR_COMMAND_PROFILE_TICK, .of_processor = true, .shape = "profile_tick([processor])",
     .help = "its performance counters overflow"},
    {"power_fail", DOOR_COMMAND_POWER, .value = 0, .shape = "power_fail()",
     .help = "the mains fail; the battery takes over"},
    {"power_return", DOOR_COMMAND_POWER, .value = 1, .shape = "power_return()", .help = "the mains are back"},
    {"add_processor", DOOR_COMMAND_ADD_PROCESSOR, .count = true, .shape = "add_processor()",
     .help = "one more processor starts; returns how many there are, nil if none could"},
};

/* Upvalue 1: index into commands. */
static int call_command(lua_State *L)
{
    self(L)->begun = true;
    const struct scenario_machine *m = self(L)->machine;
    size_t i = (size_t)lua_tointeger(L, lua_upvalueindex(1));
    uint64_t value = commands[i].value;
    uint32_t status = 0;
    if (commands[i].of_processor) {
        lua_Integer processor = luaL_optinteger(L, 1, 0);
        luaL_argcheck(L, processor >= 0 && processor < DOOR_PROCESSORS, 1, "a processor's number expected");
        value = (uint64_t)processor;
    }
    if (!m->command(m->context, commands[i].code, &value, &status))
        return scenario_leave(L);
    luaL_argcheck(L, !commands[i].of_processor || status < 0x80000000, 1, "the machine has no such processor");
    if (!commands[i].count)
        return 0;
    if (status < 0x80000000)
        lua_pushinteger(L, (lua_Integer)value);
    else
        lua_pushnil(L);
    return 1;
}

/* As Lua's tostring, but a table is "table", not its address. Pushes the text. */
static const char *show(lua_State *L, int index)
{
    int type = lua_type(L, index);
    bool address = type == LUA_TTABLE || type == LUA_TFUNCTION || type == LUA_TUSERDATA || type == LUA_TTHREAD ||
                   type == LUA_TLIGHTUSERDATA;
    if (address && luaL_getmetafield(L, index, "__tostring") == LUA_TNIL)
        return lua_pushstring(L, lua_typename(L, type));
    if (address)
        lua_pop(L, 1);
    return luaL_tolstring(L, index, NULL);
}

static int call_print(lua_State *L)
{
    FILE *out = self(L)->machine->out;
    for (int i = 1, n = lua_gettop(L); i <= n; i++) {
        fprintf(out, "%s%s", i > 1 ? "\t" : "", show(L, i));
        lua_pop(L, 1);
    }
    fputc('\n', out);
    return 0;
}

static int call_tostring(lua_State *L)
{
    luaL_checkany(L, 1);
    show(L, 1);
    return 1;
}

/* string.format with arguments that would show their address turned into words first. */
static int call_format(lua_State *L)
{
    luaL_argcheck(L, !strstr(luaL_checkstring(L, 1), "%p"), 1, "'%p' would show an address of the host");
    for (int i = 2; i <= lua_gettop(L); i++)
        if (lua_type(L, i) > LUA_TSTRING || lua_type(L, i) == LUA_TLIGHTUSERDATA) {
            show(L, i);
            lua_replace(L, i);
        }
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_insert(L, 1);
    lua_call(L, lua_gettop(L) - 1, LUA_MULTRET);
    return lua_gettop(L);
}

/* What a script may call, apart from Lua's own libraries. */
static const struct {
    const char *name;
    lua_CFunction call;
    const char *shape, *help;
} functions[] = {
    {"machine", call_machine, "machine{cpus=, seed=, drivers=}", "what the scenario wants; its first call"},
    {"advance", call_advance, "advance(seconds)", "let that much virtual time pass"},
    {"set_time", call_set_time, "set_time(time)", "set the system time, in 100 ns since 1601; returns the one before"},
    {"load", call_load, "load(driver)", "load a driver of the command line again; returns the NTSTATUS"},
    {"unload", call_unload, "unload(driver)", "unload it; returns the NTSTATUS"},
    {"snapshot", call_snapshot, "snapshot()", "irqlab explore --snapshot scenario: the schedules begin here"},
    {"expect_bugcheck", call_expect_bugcheck, "expect_bugcheck(code)", "the run is to end in this bug check, e.g. 0xA"},
    {"print", call_print, "print(...)", "show values"},
    {"tostring", call_tostring, "tostring(value)", "as in Lua, without addresses"},
};

void scenario_help(FILE *out)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        fprintf(out, "  %-26s %s\n", functions[i].shape, functions[i].help);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        fprintf(out, "  %-26s %s\n", commands[i].shape, commands[i].help);
    expect_help(out);
    devices_help(out);
    process_help(out);
    registry_help(out);
}

int scenario_prelude(lua_State *L, const char *chunk, const char *text, const char *end)
{
    if (luaL_loadbufferx(L, text, (size_t)(end - text), chunk, "t") != LUA_OK)
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static void *allocate(void *context, void *block, size_t old, size_t bytes)
{
    struct scenario *s = context;
    if (!block)
        old = 0;
    if (bytes > old && bytes - old > MEMORY_LIMIT - s->memory)
        return NULL;
    void *grown = bytes ? realloc(block, bytes) : (free(block), NULL);
    if (!bytes || grown)
        s->memory += bytes - old;
    return grown;
}

static void open_sandbox(lua_State *L, uint64_t seed)
{
    static const char *const removed[] = {"collectgarbage", "dofile", "loadfile", "require", "warn"};
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8}};
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
        luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
        lua_pop(L, 1);
    }
    for (size_t i = 0; i < sizeof removed / sizeof *removed; i++) {
        lua_pushnil(L);
        lua_setglobal(L, removed[i]);
    }
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        lua_register(L, functions[i].name, functions[i].call);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_pushcclosure(L, call_command, 1);
        lua_setglobal(L, commands[i].name);
    }
    devices_open(L);
    expect_open(L);
    process_open(L);
    registry_open(L);
    lua_getglobal(L, "string");
    lua_pushnil(L);
    lua_setfield(L, -2, "dump");
    lua_getfield(L, -1, "format");
    lua_pushcclosure(L, call_format, 1);
    lua_setfield(L, -2, "format");
    lua_getglobal(L, "math");
    lua_getfield(L, -1, "randomseed");
    lua_pushinteger(L, (lua_Integer)seed);
    lua_call(L, 1, 0);
    lua_settop(L, 0);
    scenario_prelude(L, "=pairs", scenario_pairs_lua, scenario_pairs_lua_end);
    scenario_prelude(L, "=process", scenario_process_lua, scenario_process_lua_end);
    scenario_prelude(L, "=registry", scenario_registry_lua, scenario_registry_lua_end);
}

struct script {
    const char *path, *text;
    size_t bytes;
};

static int protected_run(lua_State *L)
{
    struct script *script = lua_touserdata(L, 1);
    open_sandbox(L, self(L)->machine->seed);
    lua_pushfstring(L, "@%s", script->path);
    if (luaL_loadbufferx(L, script->text, script->bytes, lua_tostring(L, -1), "t") != LUA_OK)
        return lua_error(L);
    lua_sethook(L, hook, LUA_MASKCOUNT, HOOK_INTERVAL);
    lua_call(L, 0, 0);
    return 0;
}

void scenario_run(const char *path, const char *text, size_t bytes, const struct scenario_machine *machine,
                  struct scenario_result *result)
{
    struct scenario s = {.machine = machine, .result = result};
    struct script script = {path, text, bytes};
    memset(result, 0, sizeof *result);
    lua_State *L = lua_newstate(allocate, &s);
    if (!L) {
        snprintf(result->error, sizeof result->error, "%s: out of memory", path);
        return;
    }
    *(struct scenario **)lua_getextraspace(L) = &s;
    lua_pushcfunction(L, protected_run);
    lua_pushlightuserdata(L, &script);
    if (lua_pcall(L, 1, 0, 0) != LUA_OK && !s.ended) {
        const char *why = lua_tostring(L, -1);
        snprintf(result->error, sizeof result->error, "%s", why ? why : "an error that is no text");
        result->error[strcspn(result->error, "\n")] = 0;
        if (strncmp(result->error, path, strlen(path))) /* e.g. "not enough memory" */
            snprintf(result->error, sizeof result->error, "%s: %s", path, why ? why : "an error that is no text");
    }
    lua_sethook(L, NULL, 0, 0);
    lua_close(L);
    free(s.data);
}
