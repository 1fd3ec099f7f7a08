/*
 * Measures from outside what work inside the machine costs: the processor time of whole runs with N and with 3N pieces
 * of work, medians of several; the difference is 2N pieces. Beside it stands what this host does at best with the same
 * shape of loop, measured in the same run, so that a figure can be judged on any machine.
 *
 * usage: time IRQLAB BENCH.sys VOLUME_DIRECTORY [NAME...]
 */
#define _GNU_SOURCE
#include "measure.h"
#include <pthread.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define RUNS 7

extern char **environ;

static bool missed;

/* One that fails misses its target, and the other rows follow. */
static struct cost once(const char *work, uint64_t count, bool watch)
{
    struct cost cost = run(work, count, watch);
    missed |= cost.failed;
    return cost;
}

static double processor_time(const char *work, uint64_t count)
{
    return once(work, count, false).processor;
}

/* Nanoseconds for a piece of work. */
static double piece(const char *work, uint64_t count)
{
    double few[RUNS], many[RUNS];
    for (int i = 0; i < RUNS; i++) {
        few[i] = processor_time(work, count);
        many[i] = processor_time(work, 3 * count);
    }
    return (median(many, RUNS) - median(few, RUNS)) * 1e9 / (2 * count);
}

/* ---- What the host does at best ---------------------------------------------------------------------------------- */

static int state;
static __attribute__((noinline)) int read_state(int *p)
{
    return *(volatile int *)p;
}
static int (*volatile leaf_pointer)(int *) = read_state;

static void host_call(uint64_t n)
{
    int sum = 0;
    for (uint64_t i = 0; i < n; i++)
        sum += leaf_pointer(&state);
    state = sum & 1;
}

static void host_store_pair(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        *(volatile char *)&state = 2;
        *(volatile char *)&state = 0;
    }
}

static void host_lock_pair(uint64_t n)
{
    static pthread_spinlock_t lock;
    pthread_spin_init(&lock, 0);
    for (uint64_t i = 0; i < n; i++) {
        pthread_spin_lock(&lock);
        pthread_spin_unlock(&lock);
    }
}

static void host_system_call(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        syscall(SYS_getppid);
}

static void *volatile kept;
static void host_malloc_pair(uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        kept = malloc(64);
        free(kept);
    }
}

static int there[2], back[2];
static void *echo(void *rounds)
{
    char c;
    for (uint64_t i = 0; i < (uint64_t)(uintptr_t)rounds; i++)
        if (read(there[0], &c, 1) != 1 || write(back[1], &c, 1) != 1)
            abort();
    return NULL;
}

static void host_ping_pong(uint64_t n)
{
    pthread_t thread;
    char c = 0;
    if (pipe(there) || pipe(back) || pthread_create(&thread, NULL, echo, (void *)(uintptr_t)(n / 2)))
        abort();
    for (uint64_t i = 0; i < n / 2; i++)
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1)
            abort();
    pthread_join(thread, NULL);
    for (int i = 0; i < 2; i++)
        close(there[i]), close(back[i]);
}

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif
#define STACK_SLOT 65536ul
#define STACK_GUARD 40960ul /* below the 24 KiB of a thread */

/* What no thread that has run can do without: a stack of memory shared with the supervisor, its guard, one page of it
 * touched, and given back. */
static void host_stack(uint64_t n)
{
    int memory = memfd_create("bench", MFD_CLOEXEC);
    if (memory < 0 || ftruncate(memory, (off_t)(n * STACK_SLOT)))
        abort();
    char *stacks = mmap(NULL, n * STACK_SLOT, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, memory, 0);
    if (stacks == MAP_FAILED)
        abort();
    for (uint64_t i = 0; i < n; i++) {
        char *stack = stacks + i * STACK_SLOT;
        if (madvise(stack, STACK_GUARD, MADV_GUARD_INSTALL) && mprotect(stack, STACK_GUARD, PROT_NONE))
            break; /* neither: as many mappings as a process may have */
        stack[STACK_SLOT - 1] = 1;
    }
    munmap(stacks, n * STACK_SLOT);
    close(memory);
}

static double host(void (*work)(uint64_t), uint64_t count)
{
    double v[RUNS];
    for (int i = 0; i < RUNS; i++) {
        double start = seconds(CLOCK_MONOTONIC);
        work(count);
        v[i] = (seconds(CLOCK_MONOTONIC) - start) * 1e9 / count;
    }
    return median(v, RUNS);
}

static double host_process(void)
{
    double v[21];
    for (int i = 0; i < 21; i++) {
        char *argv[] = {"true", NULL};
        int status;
        pid_t pid;
        double start = seconds(CLOCK_MONOTONIC);
        if (posix_spawn(&pid, "/bin/true", NULL, NULL, argv, environ) || waitpid(pid, &status, 0) != pid)
            abort();
        v[i] = (seconds(CLOCK_MONOTONIC) - start) * 1e3;
    }
    return median(v, 21);
}

/* ---- The table --------------------------------------------------------------------------------------------------- */

struct row {
    const char *what, *work;
    uint64_t count;
    double target; /* ns; 0 = three times the host's; -1 = none */
    const char *limit_name;
    void (*limit)(uint64_t);
    uint64_t limit_count;
};

static const struct row rows[] = {
    {"checked leaf call, driver to kernel", "leaf", 30000000, 0, "C call through a pointer", host_call, 50000000},
    {"raise and lower", "raise", 30000000, 10, "two stores", host_store_pair, 50000000},
    {"spin lock pair", "lock", 20000000, 10, "pthread spin lock pair", host_lock_pair, 50000000},
    {"DPC: insert, run, return", "dpc", 5000000, 50, "C call through a pointer", host_call, 50000000},
    {"work item: queue, run, wait", "item", 1000000, 300, "pipe to a thread and back, one way", host_ping_pong, 20000},
    {"timer of 1,000: set, fire into a DPC", "timers", 1000000, 200, "system call", host_system_call, 2000000},
    {"timer of 500,000 to 1,500,000 pending", "pending", 500000, -1, "system call", host_system_call, 2000000},
    {"pool pair, tracked", "pool", 10000000, 40, "malloc and free", host_malloc_pair, 20000000},
    {"event between two threads, one way", "pingpong", 2000000, 100, "pipe between two threads, one way",
     host_ping_pong, 20000},
};

static bool wanted(int argc, char **argv, const char *name)
{
    for (int i = 4; i < argc; i++)
        if (!strcmp(argv[i], name))
            return true;
    return argc <= 4;
}

static void print_row(const char *what, double value, const char *unit, double target, const char *limit_name,
                      double limit)
{
    /* Processes and fresh pages are part of what is measured; the other limits only compare. */
    bool beyond = limit > target && !strcmp(unit, "ms");
    if (target < 0)
        printf("%-40s %9.1f %-3s  %16s", what, value, unit, "");
    else
        printf("%-40s %9.1f %-3s  %9.1f %s", what, value, unit, target,
               value <= target ? "met   "
               : beyond        ? "(host)"
                               : "MISSED");
    if (limit_name)
        printf("  %9.1f %-3s %-35s %7.2f", limit, unit, limit_name, value / limit);
    printf("\n");
    fflush(stdout);
    missed |= target >= 0 && value > target && !beyond;
}

static void start_row(void)
{
    double v[21];
    once("nothing", 1, false);
    for (int i = 0; i < 21; i++)
        v[i] = once("nothing", 1, false).wall * 1e3;
    print_row("process start to driver reported", median(v, 21), "ms", 20, "start and end of /bin/true",
              host_process());
    long most = 0; /* it lives for a moment only: look at a run that lasts */
    most = once("leaf", 100000000, true).worker_kib;
    print_row("resident worker, one driver", most / 1024.0, "MiB", 16, NULL, 0);
}

static void thread_rows(void)
{
    double none[RUNS], all[RUNS], limit = host(host_stack, 100000);
    for (int i = 0; i < RUNS; i++) {
        none[i] = processor_time("threads", 0);
        all[i] = processor_time("threads", 100000);
    }
    print_row("100,000 threads: create, run, end", (median(all, RUNS) - median(none, RUNS)) * 1e3, "ms", 500,
              "as many guarded stacks, touched", limit * 100000 / 1e6);
    print_row("100,000 threads: resident worker", once("threads", 100000, true).worker_kib / 1024.0, "MiB", 450, NULL,
              0);
}

int main(int argc, char **argv)
{
    if (argc < 4)
        return fprintf(stderr, "usage: %s IRQLAB BENCH.sys VOLUME_DIRECTORY [NAME...]\n", argv[0]), 2;
    irqlab = argv[1], driver = argv[2], volume = argv[3];
    printf("medians of %d runs; (host): what this host does at best is above the target already\n", RUNS);
    printf("%-40s %13s  %16s  %-49s %7s\n", "", "measured", "target", "this host at best", "ratio");
    if (wanted(argc, argv, "start"))
        start_row();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        if (!wanted(argc, argv, r->work))
            continue;
        double limit = host(r->limit, r->limit_count), value = piece(r->work, r->count);
        print_row(r->what, value, "ns", r->target ? r->target : 3 * limit, r->limit_name, limit);
    }
    if (wanted(argc, argv, "threads"))
        thread_rows();
    return missed;
}
