/* See measure.h. */
#define _GNU_SOURCE
#include "measure.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;
const char *irqlab, *driver, *volume, *scenario;

double seconds(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double median(double *v, int n)
{
    qsort(v, n, sizeof *v, by_value);
    return v[n / 2];
}

/* ---- One run of the machine -------------------------------------------------------------------------------------- */

static long status_field(pid_t pid, const char *field)
{
    char path[64], line[256];
    long value = 0;
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    FILE *f = fopen(path, "r");
    while (f && fgets(line, sizeof line, f))
        if (!strncmp(line, field, strlen(field)))
            value = atol(line + strlen(field));
    if (f)
        fclose(f);
    return value;
}

/* The largest process below pid; the worker is the only one with a machine in it. */
static long largest_child(pid_t pid)
{
    char path[64];
    long most = 0, child;
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    FILE *f = fopen(path, "r");
    while (f && fscanf(f, "%ld", &child) == 1) {
        long own = status_field(child, "VmHWM:"), below = largest_child(child);
        own = own > below ? own : below;
        most = own > most ? own : most;
    }
    if (f)
        fclose(f);
    return most;
}

struct cost run(const char *work, uint64_t count, bool watch)
{
    char path[4096], text[64];
    struct cost cost = {0};
    struct rusage usage;
    int status = 0;
    pid_t pid;

    snprintf(path, sizeof path, "%s/work.txt", volume);
    int length = snprintf(text, sizeof text, "%s %llu", work, (unsigned long long)count);
    int f = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (f < 0 || write(f, text, length) != length)
        exit((perror(path), 1));
    close(f);
    char *argv[] = {(char *)irqlab,
                    "run",
                    "--volume",
                    (char *)volume,
                    "--special-pool",
                    "off",
                    "--ram",
                    "1G",
                    "--no-color",
                    (char *)driver,
                    scenario ? "--scenario" : "--for",
                    (char *)(scenario ? scenario : "10h"),
                    NULL};
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    double start = seconds(CLOCK_MONOTONIC);
    if (posix_spawn(&pid, irqlab, &actions, NULL, argv, environ))
        exit((perror(irqlab), 1));
    while (watch && waitpid(pid, &status, WNOHANG) == 0 && seconds(CLOCK_MONOTONIC) - start < 100) {
        long now = largest_child(pid);
        cost.worker_kib = now > cost.worker_kib ? now : cost.worker_kib;
    }
    if (!watch && wait4(pid, &status, 0, &usage) == pid)
        cost.processor =
            usage.ru_utime.tv_sec + usage.ru_stime.tv_sec + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e-6;
    cost.wall = seconds(CLOCK_MONOTONIC) - start;
    posix_spawn_file_actions_destroy(&actions);
    if (!WIFEXITED(status) || WEXITSTATUS(status)) {
        fprintf(stderr, "irqlab run %s %llu: status %x\n", work, (unsigned long long)count, status);
        cost.failed = true;
    }
    return cost;
}
