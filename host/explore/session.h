/*
 * A run of a machine: drivers loaded in order, virtual time or a scenario, drivers unloaded in reverse, the end. Whoever
 * runs drivers does it through here, so that a schedule found by the explorer is the same run for `run` and `replay`.
 *
 * A run may have a schedule; it begins at one of three places. Up to there every run of the same drivers is the same, so
 * session_reach takes a snapshot there and session_again makes any number of runs from it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "door.h"
#include "explore/calls.h"
#include "registry/registry.h"
#include "supervisor/supervisor.h"

enum { SESSION_DRIVERS = 64, SESSION_PRINTS = 100000, SESSION_DEVICES = 32 };

enum session_from {
    SESSION_BOOT,     /* before the first driver is loaded */
    SESSION_LOADED,   /* after the last has been */
    SESSION_SCENARIO, /* where the scenario calls snapshot() */
};

struct session_driver {
    const char *path, *name; /* name: the last part of path */
    const void *bytes;
    size_t size;
    bool loaded;
};

struct session {
    /* What is to be run: */
    struct session_driver driver[SESSION_DRIVERS];
    int drivers;
    const char *device[SESSION_DEVICES]; /* bindings: "Root\\X=x.sys" (door.h: DOOR_DEVICE_BIND) */
    int devices;
    const char *scenario, *script; /* file name, text; NULL = none, then: */
    size_t script_bytes;
    const char *test; /* an exported routine of the last driver, called instead; NULL = none */
    bool (*operate)(struct session *s,
                    void *context); /* somebody else does, false: the machine has ended; NULL = none */
    void *operator;
    uint64_t time; /* to let pass, 100 ns */
    uint64_t seed;
    FILE *out;                            /* where the scenario prints */
    struct registry_stream registry;      /* what the registry begins with besides its own */
    FILE *save_registry;                  /* where it is written before the end, NULL = nowhere */
    char save_key[REGISTRY_KEY_ROOM];     /* the key that is written, as a hive; "" = all, as text */
    const struct door_schedule *schedule; /* NULL = in order */
    enum session_from from;

    /* Who listens: events, and remarks of ours ("stuck.sys: DriverEntry returned ..."; NULL = nobody). */
    supervisor_event_fn *sink;
    void (*remark)(void *context, const char *text);
    void *context;

    /* How it went: */
    struct supervisor *supervisor; /* NULL before session_start */
    bool failed;                   /* a DriverEntry did */
    bool refused;                  /* an image was, or the script is wrong */
    bool began;                    /* the schedule did */
    char error[512];               /* of the script, "" = none */
    bool expects_bugcheck;         /* says the script */
    uint32_t bugcheck;

    /* Ours: */
    unsigned mapped, notes; /* images of drivers, remarks of the kernel so far */
    bool stopped, taking, going_on, repeating, ended;
    struct session_print {
        uint64_t time;
        uint8_t processor, level;
        uint32_t bytes;
        char *text;
    } * print; /* what drivers printed, for the script */
    unsigned prints, prints_then;
    unsigned replies, next_reply;
    struct door_command *reply;
    bool loaded_then[SESSION_DRIVERS];
    struct calls calls;
    struct calls_slot slots_then[DOOR_CALLS];
};

/* Ready for another machine. */
void session_reset(struct session *s);

/* Start the machine and offer it the drivers. On failure false and a line in why. */
bool session_start(struct session *s, const struct supervisor_options *options, char why[256]);

/* The whole run. */
void session_operate(struct session *s);

/* Go to where the schedule begins and take a snapshot there. False: it could not be reached (failed, refused or error say
 * why, or the machine ended). */
bool session_reach(struct session *s);

/* One run from there with s->schedule. False: the machine can't go back, a new one must be started. */
bool session_again(struct session *s);

/* End the machine. */
void session_finish(struct session *s, struct supervisor_end *end);

struct session_driver *session_driver_named(struct session *s, const char *name);
