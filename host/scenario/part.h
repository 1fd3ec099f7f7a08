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

/* What is written in Lua: the texts of the .lua files here, from the name to the name with _end (scripts.S). */
extern const char scenario_pairs_lua[], scenario_pairs_lua_end[];
extern const char scenario_process_lua[], scenario_process_lua_end[];
extern const char scenario_registry_lua[], scenario_registry_lua_end[];

/* Run one of them, before the script. Its functions stay; an error is raised. */
int scenario_prelude(lua_State *L, const char *chunk, const char *text, const char *end);

/* process.c: what process.lua stands on */
void process_open(lua_State *L);
void process_help(FILE *out);

/* registry.c: what registry.lua stands on; __utf16 and __utf8 are there for the others too, until it has run */
void registry_open(lua_State *L);
void registry_help(FILE *out);

/* devices.c: functions on devices and power */
void devices_open(lua_State *L);
void devices_help(FILE *out);

/* expect.c: expectations */
void expect_open(lua_State *L);
void expect_help(FILE *out);

/* An expectation is not met, with its place: the run has failed. */
void scenario_fail(lua_State *L, const char *why);
