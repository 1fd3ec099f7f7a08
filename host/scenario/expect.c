/*
 * What a scenario expects: values, and what drivers have printed, at which level. An expectation that is not met ends the
 * script; the run has failed then (exit status 1), while an error in the script makes it bad input (2).
 */
#include <stdarg.h>
#include <string.h>
#include "scenario/part.h"

static const char *const levels[] = {"PASSIVE", "APC", "DISPATCH"};

/* Leaves the script, whatever it would catch. */
static int unmet(lua_State *L, const char *format, ...)
{
    va_list arguments;
    lua_Debug debug;
    int level = 1;
    while (lua_getstack(L, level, &debug) && lua_getinfo(L, "l", &debug) && debug.currentline < 0)
        level++; /* a C function, such as pcall */
    luaL_where(L, level);
    va_start(arguments, format);
    lua_pushvfstring(L, format, arguments);
    va_end(arguments);
    lua_concat(L, 2);
    scenario_fail(L, lua_tostring(L, -1));
    return scenario_leave(L);
}

/* As the script would write it. */
static const char *written(lua_State *L, int index)
{
    char number[32];
    if (lua_isinteger(L, index) && lua_tointeger(L, index) > 0xffff) { /* a status, an address */
        snprintf(number, sizeof number, "0x%llX", (unsigned long long)lua_tointeger(L, index));
        return lua_pushstring(L, number);
    }
    if (lua_type(L, index) == LUA_TSTRING)
        return lua_pushfstring(L, "\"%s\"", lua_tostring(L, index));
    lua_getglobal(L, "tostring");
    lua_pushvalue(L, index);
    lua_call(L, 1, 1);
    return lua_tostring(L, -1);
}

/* expect(condition), expect(value, wanted[, what]) */
static int call_expect(lua_State *L)
{
    int given = lua_gettop(L);
    luaL_checkany(L, 1);
    const char *what = given > 2 ? luaL_checkstring(L, 3) : "";
    if (given == 1 ? lua_toboolean(L, 1) : lua_compare(L, 1, 2, LUA_OPEQ)) {
        lua_settop(L, 1);
        return 1;
    }
    if (given == 1)
        return unmet(L, "what was expected does not hold");
    return unmet(L, "%s%s%s expected, got %s", what, *what ? ": " : "", written(L, 2), written(L, 1));
}

static int level_of(lua_State *L, int index)
{
    if (lua_type(L, index) == LUA_TNUMBER) {
        lua_Integer level = luaL_checkinteger(L, index);
        luaL_argcheck(L, level >= 0 && level <= 15, index, "a level from 0 to 15 expected");
        return (int)level;
    }
    const char *name = luaL_checkstring(L, index);
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, levels[i]))
            return i;
    return luaL_argerror(L, index, "a level expected: PASSIVE, APC, DISPATCH or a number");
}

/* Does string.find find the pattern? */
static bool found(lua_State *L, const char *text, size_t bytes, int pattern)
{
    lua_getglobal(L, "string");
    lua_getfield(L, -1, "find");
    lua_pushlstring(L, text, bytes);
    lua_pushvalue(L, pattern);
    lua_call(L, 2, 1);
    bool is = lua_toboolean(L, -1);
    lua_pop(L, 2);
    return is;
}

static int call_prints(lua_State *L)
{
    const struct scenario_machine *m = self(L)->machine;
    struct scenario_print p;
    lua_newtable(L);
    for (unsigned i = 0; m->print && m->print(m->context, i, &p); i++) {
        lua_createtable(L, 0, 4);
        lua_pushlstring(L, p.text, p.bytes);
        lua_setfield(L, -2, "text");
        lua_pushinteger(L, p.level);
        lua_setfield(L, -2, "level");
        lua_pushinteger(L, p.processor);
        lua_setfield(L, -2, "cpu");
        lua_pushnumber(L, (lua_Number)p.time / 1e7);
        lua_setfield(L, -2, "time");
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    return 1;
}

/* How many lines fit, and how many of them were printed at another level. Level -1: any. */
static unsigned search(lua_State *L, int pattern, int level, unsigned *elsewhere, struct scenario_print *other)
{
    const struct scenario_machine *m = self(L)->machine;
    struct scenario_print p;
    unsigned fit = 0;
    *elsewhere = 0;
    for (unsigned i = 0; m->print && m->print(m->context, i, &p); i++) {
        if (!found(L, p.text, p.bytes, pattern))
            continue;
        fit++;
        if (level >= 0 && p.level != level) {
            *other = p;
            ++*elsewhere;
        }
    }
    return fit;
}

static int call_expect_print(lua_State *L)
{
    struct scenario_print other;
    unsigned elsewhere, fit;
    luaL_checkstring(L, 1);
    fit = search(L, 1, -1, &elsewhere, &other);
    if (!fit)
        return unmet(L, "no driver has printed \"%s\"", lua_tostring(L, 1));
    lua_pushinteger(L, (lua_Integer)fit);
    return 1;
}

static int call_expect_level(lua_State *L)
{
    struct scenario_print other;
    unsigned elsewhere, fit;
    int level = level_of(L, 1);
    luaL_checkstring(L, 2);
    fit = search(L, 2, level, &elsewhere, &other);
    if (!fit)
        return unmet(L, "no driver has printed \"%s\"", lua_tostring(L, 2));
    if (elsewhere)
        return unmet(L, "\"%s\" was printed at level %d, not %d", lua_tostring(L, 2), (int)other.level, level);
    lua_pushinteger(L, (lua_Integer)fit);
    return 1;
}

static const struct {
    const char *name;
    lua_CFunction call;
    const char *shape, *help;
} functions[] = {
    {"expect", call_expect, "expect(value[, wanted[, what]])",
     "the value is true, or equal to the wanted one; returns it"},
    {"expect_print", call_expect_print, "expect_print(pattern)",
     "a driver has printed such a line (Lua's patterns); returns how many"},
    {"expect_level", call_expect_level, "expect_level(level, pattern)",
     "there are such lines, all printed at this level (PASSIVE, APC, DISPATCH, 0 to 15)"},
    {"prints", call_prints, "prints()", "all that drivers have printed: text, level, cpu, time"},
};

void expect_open(lua_State *L)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        lua_register(L, functions[i].name, functions[i].call);
}

void expect_help(FILE *out)
{
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++)
        fprintf(out, "  %-26s %s\n", functions[i].shape, functions[i].help);
}
