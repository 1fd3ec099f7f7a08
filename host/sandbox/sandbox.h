/*
 * What keeps a driver's code from the host.
 *
 * The wall is a filter on system calls: only the two instructions of syscall.S may make any, and those only a short
 * list with checked arguments. All other layers are there for the case that it has a hole. Layers that the host does
 * not offer are left out; sandbox_probe says which; without the filter nothing runs.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sandbox_layer {
    SANDBOX_FILTER,     /* seccomp */
    SANDBOX_LANDLOCK,   /* no file, whatever the path */
    SANDBOX_NAMESPACES, /* user, network, mount, IPC, host name */
    SANDBOX_NO_GAIN,    /* no new privileges */
    SANDBOX_TIME,       /* rdtsc traps */
    SANDBOX_GUARDS,     /* stack guards by madvise on shared memory; else some 32,000 stacks at most */
    SANDBOX_FSGSBASE,   /* GS base by instruction */
    SANDBOX_LAYERS
};

struct sandbox_report {
    struct {
        const char *name; /* "seccomp filter" */
        bool present;
        bool required;
        char detail[96]; /* "Landlock ABI 6"; why not */
    } layer[SANDBOX_LAYERS];
};

/* What this host offers. Tries things out in a child process. */
void sandbox_probe(struct sandbox_report *report);

/*
 * Lock the calling process in, for good. Descriptors but `wake`, `ram` and `files` must be closed. What may be mapped is
 * `ram`, below high. Returns NULL, or a sentence that says what failed.
 *
 * With guests, programs of the host share memory with it: their files come over `files`, get numbers from `first` on (there is
 * room for fewer than `descriptors`), and may be mapped like `ram`; it may wait and wake where they show, and at the board.
 * rdtsc does not trap then: Linux switches that with each switch between a process with and one without, and where a
 * hypervisor is asked each time, that takes longer than all the rest of a call. The loader's markers find rdtsc all the same,
 * except in code made at run time.
 */
struct sandbox_rules {
    int wake, ram;
    uint64_t high;   /* a multiple of 4 GiB; the host lies above it */
    uint64_t guests; /* 4 GiB from here on are nothing but the board; 0 = no guests, and none of the following */
    int files, first, descriptors;
    uint64_t shared, shared_end; /* where the files show, multiples of 4 GiB */
    bool debugger;               /* may be traced */
};
const char *sandbox_enter(const struct sandbox_rules *rules);
