/* What the files of the scenario part share. */
#pragma once

#include <lauxlib.h>
#include <lua.h>
#include "scenario/scenario.h"

struct scenario {
    const struct scenario_machine *machine;
    struct scenario_result *result;
    size_t memory;
    unsigned hooks;
    uint8_t *data; /* of calls of user processes */
    bool begun;    /* something has been asked of the machine */
    bool ended;    /* the machine is gone: unwind */
};

static inline struct scenario *self(lua_State *L)
{
    return *(struct scenario **)lua_getextraspace(L);
}

/* The machine has ended in a call: leave the script, whatever it would catch. Does not return. */
int scenario_leave(lua_State *L);

/* process.c: functions on user processes; and those of them that are written in Lua */
void process_open(lua_State *L);
void process_prelude(lua_State *L);
void process_help(FILE *out);

/* devices.c: functions on devices and power */
void devices_open(lua_State *L);
void devices_help(FILE *out);

/* expect.c: expectations */
void expect_open(lua_State *L);
void expect_help(FILE *out);

/* An expectation is not met, with its place: the run has failed. */
void scenario_fail(lua_State *L, const char *why);
