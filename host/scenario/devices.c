/*
 * What a script does to devices and to the system's power. A device is named by its instance path, the beginning of one, or
 * one of its hardware ids. Each function returns the NTSTATUS.
 */
#include <lauxlib.h>
#include <lua.h>
#include <string.h>
#include "door.h"
#include "scenario/part.h"

static const struct {
    const char *name;
    enum door_device what;
    const char *shape, *help;
} verbs[] = {
    {"device_arrives", DOOR_DEVICE_ARRIVES, "device_arrives(device)",
     "a device as --device names it appears, or one that was removed comes back"},
    {"device_removed", DOOR_DEVICE_REMOVE, "device_removed(device)",
     "remove it in good order: its drivers are asked first"},
    {"device_vanishes", DOOR_DEVICE_SURPRISE, "device_vanishes(device)", "it is pulled out"},
    {"device_ejected", DOOR_DEVICE_EJECT, "device_ejected(device)", "the user ejects it"},
    {"device_rebalanced", DOOR_DEVICE_REBALANCE, "device_rebalanced(device)",
     "stop it and start it with resources assigned anew"},
    {"device_paged_to", DOOR_DEVICE_PAGING, "device_paged_to(device)", "a paging file is put on it"},
    {"device_not_paged_to", DOOR_DEVICE_NO_PAGING, "device_not_paged_to(device)", "the paging file is taken away"},
};

static int give(lua_State *L, bool alive, const uint32_t *status)
{
    if (!alive)
        return scenario_leave(L);
    lua_pushinteger(L, *status);
    return 1;
}

/* Upvalue 1: index into verbs. */
static int call_device(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    const char *device = luaL_checkstring(L, 1);
    uint64_t value = verbs[lua_tointeger(L, lua_upvalueindex(1))].what;
    uint32_t status = 0;
    luaL_argcheck(L, *device && strlen(device) < 256, 1, "a device's name expected");
    return give(L, m->named(m->context, DOOR_COMMAND_DEVICE, device, &value, &status), &status);
}

static int call_profile(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    uint64_t value = DOOR_DEVICE_PROFILE;
    uint32_t status = 0;
    return give(L, m->named(m->context, DOOR_COMMAND_DEVICE, "", &value, &status), &status);
}

/* S1 to S4 are the system states 2 to 5. */
static int call_sleep(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    lua_Integer state = luaL_optinteger(L, 1, 3);
    uint32_t status = 0;
    luaL_argcheck(L, state >= 1 && state <= 4, 1, "a sleeping state from 1 to 4 expected");
    uint64_t value = (uint64_t)state + 1;
    return give(L, m->named(m->context, DOOR_COMMAND_SYSTEM_POWER, "", &value, &status), &status);
}

static int call_shutdown(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    uint64_t value = 6;
    uint32_t status = 0;
    return give(L, m->named(m->context, DOOR_COMMAND_SYSTEM_POWER, "", &value, &status), &status);
}

static int call_setting(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    const char *name = luaL_checkstring(L, 1);
    lua_Integer number = luaL_checkinteger(L, 2);
    uint32_t status = 0;
    luaL_argcheck(L, *name && strlen(name) < 64, 1, "a power setting expected");
    luaL_argcheck(L, number >= 0 && number <= UINT32_MAX, 2, "a number of 32 bits expected");
    uint64_t value = (uint64_t)number;
    return give(L, m->named(m->context, DOOR_COMMAND_POWER_SETTING, name, &value, &status), &status);
}

static int call_session(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    const char *event = luaL_checkstring(L, 1);
    lua_Integer id = luaL_optinteger(L, 2, 1);
    uint32_t status = 0;
    luaL_argcheck(L, *event && strlen(event) < 64, 1, "a session's event expected");
    luaL_argcheck(L, id >= 1 && id <= UINT32_MAX, 2, "a session's number expected");
    uint64_t value = (uint64_t)id;
    return give(L, m->named(m->context, DOOR_COMMAND_SESSION, event, &value, &status), &status);
}

static const struct {
    const char *name;
    lua_CFunction call;
    const char *shape, *help;
} others[] = {
    {"profile_changes", call_profile, "profile_changes()", "the hardware profile changes"},
    {"sleep", call_sleep, "sleep([state])", "the system sleeps (1 to 4; 3 is S3) and wakes up"},
    {"shutdown", call_shutdown, "shutdown()", "the system is shut down; drivers are not unloaded then"},
    {"power_setting", call_setting, "power_setting(name, value)",
     "source, battery, monitor, display, lid, saver, away, or a GUID in braces"},
    {"session", call_session, "session(event[, number])", "create, connect, logon, logoff, disconnect, terminate"},
};

void devices_open(lua_State *L)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        lua_pushinteger(L, (lua_Integer)i);
        lua_pushcclosure(L, call_device, 1);
        lua_setglobal(L, verbs[i].name);
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        lua_register(L, others[i].name, others[i].call);
}

void devices_help(FILE *out)
{
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++)
        fprintf(out, "  %-26s %s\n", verbs[i].shape, verbs[i].help);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        fprintf(out, "  %-26s %s\n", others[i].shape, others[i].help);
}
