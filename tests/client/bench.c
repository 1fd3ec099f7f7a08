/*
 * Round trips of a client, and those that tests/bench/trip.c makes inside the machine. usage: bench [pool]: "pool": only the
 * client's own, of a machine with special pool. Ends with 1 if a target is missed that this host could meet.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "irqlab-client.h"
#include "../bench/trip.h"

#define CODE(number, method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), method, FILE_ANY_ACCESS)

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

/* What two processes need to hand a byte there and back: the limit beside which ours is shown. */
static double pipe_round_trip(int rounds)
{
    int there[2], back[2];
    char byte = 1;
    if (pipe(there) || pipe(back))
        return 0;
    pid_t child = fork();
    if (child == 0) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1 && write(back[1], &byte, 1) == 1)
            ;
        _exit(0);
    }
    close(there[0]);
    double begin = now();
    for (int i = 0; i < rounds; i++)
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            break;
    double each = (now() - begin) / rounds;
    close(there[1]);
    waitpid(child, NULL, 0);
    return each;
}

enum { ROUNDS = 20000, LARGE = TRIP_READ, LARGE_ROUNDS = 4 * TRIP_ROOMS, BATCHES = 5, INSIDE = 50000 };
static char in[LARGE], out[LARGE];
static char *shared, *ordinary; /* TRIP_ROOMS times LARGE bytes behind a page: of VirtualAlloc, of malloc */
static int missed;

static void row(const char *what, double value, const char *unit, double target, double limit, const char *limit_name)
{
    const char *verdict = target < 0 ? "" : value <= target ? "met" : limit > target ? "(host)" : "MISSED";
    printf("%-40s %9.2f %-3s  ", what, value, unit);
    if (target < 0)
        printf("%16s", "");
    else
        printf("%9.1f %-6s", target, verdict);
    printf("  %9.2f %-4s %-34s %7.2f\n", limit, unit, limit_name, value / limit);
    missed |= *verdict == 'M';
}

static void speed(const char *what, double value, double limit, const char *limit_name)
{
    printf("%-40s %9.2f GB/s %15s  %9.2f GB/s %-34s %7.2f\n", what, value / 1000, "", limit / 1000, limit_name,
           value / limit);
}

static double control(HANDLE device)
{
    DWORD bytes;
    double begin = now();
    for (int i = 0; i < ROUNDS; i++)
        if (!DeviceIoControl(device, CODE(0, METHOD_BUFFERED), in, 16, out, 16, &bytes, NULL) || bytes != 16)
            exit(1);
    return (now() - begin) / ROUNDS;
}

static char *piece(char *memory, int i)
{
    return memory + 4096 + (size_t)(i % TRIP_ROOMS) * LARGE;
}

/* Bytes in a microsecond. One after the other of the pieces, which together are larger than the caches. */
static double reads(HANDLE device, char *memory)
{
    DWORD bytes;
    double begin = now();
    for (int i = 0; i < LARGE_ROUNDS; i++)
        if (!ReadFile(device, piece(memory, i), LARGE, &bytes, NULL) || bytes != LARGE)
            exit((fprintf(stderr, "read: error %u\n", (unsigned)GetLastError()), 1));
    return LARGE_ROUNDS * (double)LARGE / (now() - begin);
}

static double copies(char *memory)
{
    double begin = now();
    for (int i = 0; i < LARGE_ROUNDS; i++) {
        memcpy(piece(memory, i), in, LARGE);
        __asm__ volatile("" ::"r"(memory) : "memory");
    }
    return LARGE_ROUNDS * (double)LARGE / (now() - begin);
}

static double system_call(void)
{
    double begin = now();
    for (int i = 0; i < INSIDE; i++)
        syscall(SYS_getppid);
    return (now() - begin) / INSIDE;
}

/* One of Trip's loops: what 3N rounds take beyond N. */
static double inside(HANDLE device, HANDLE other, DWORD code, unsigned rounds)
{
    TRIP trip = {.File = (unsigned)(uintptr_t)other}; /* the first one is busy with this request */
    double took[2];
    DWORD bytes;
    for (unsigned i = 0; i < 2; i++) {
        trip.Count = i ? 3 * rounds : rounds;
        double begin = now();
        if (!DeviceIoControl(device, code, &trip, sizeof trip, shared, TRIP_ROOM, &bytes, NULL))
            exit((fprintf(stderr, "Trip %x: error %u\n", (unsigned)code, (unsigned)GetLastError()), 1));
        took[i] = now() - begin;
    }
    return (took[1] - took[0]) / (2.0 * rounds);
}

static HANDLE device(const char *name)
{
    HANDLE h = CreateFileA(name, GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        exit((fprintf(stderr, "%s: error %u\n", name, (unsigned)GetLastError()), 1));
    return h;
}

static void least(double *so_far, double value)
{
    if (!*so_far || value < *so_far)
        *so_far = value;
}

static void most(double *so_far, double value)
{
    if (value > *so_far)
        *so_far = value;
}

int main(int argc, char **argv)
{
    bool pool = argc > 1 && !strcmp(argv[1], "pool");
    double trip = 0, driver = 0, program = 0, pipes = 0, calls = 0, read = 0, within = 0, twice = 0, copy = 0,
           plain = 0;
    HANDLE echo = device("\\\\.\\Echo"), loops = device("\\\\.\\Trip"), other = device("\\\\.\\Trip");
    memset(in, 'x', sizeof in);
    shared = VirtualAlloc(NULL, 4096 + (size_t)TRIP_ROOMS * LARGE, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
    ordinary = malloc(4096 + (size_t)TRIP_ROOMS * LARGE);
    if (!shared || !ordinary)
        exit((fprintf(stderr, "no memory\n"), 1));
    for (int b = 0; b < BATCHES; b++) {
        least(&trip, control(echo));
        least(&pipes, pipe_round_trip(ROUNDS));
        if (pool)
            continue;
        least(&driver, inside(loops, other, TRIP_AS_DRIVER, INSIDE));
        least(&program, inside(loops, other, TRIP_AS_PROGRAM, INSIDE));
        least(&calls, system_call());
        most(&read, reads(loops, shared));
        most(&within, LARGE / inside(loops, other, TRIP_READS_AS_PROGRAM, LARGE_ROUNDS));
        most(&copy, copies(shared));
        most(&twice, reads(loops, ordinary));
        most(&plain, copies(ordinary));
    }
    row(pool ? "the same with special pool" : "control of 16 bytes from a host process", trip, "us", pool ? -1 : 10,
        pipes, "byte through two pipes, there and back");
    if (!pool) {
        row("control of 16 bytes by a driver", driver, "us", 1, calls, "system call");
        row("control of 16 bytes by a user thread", program, "us", 1, calls, "system call");
        speed("1 MiB read by a user thread, direct I/O", within, copy, "the copy that the driver makes");
        speed("the same from a host process", read, copy, "the copy that the driver makes");
        speed("to malloc's memory: one more copy", twice, plain, "one copy of it");
    }
    CloseHandle(other);
    CloseHandle(loops);
    CloseHandle(echo);
    return missed;
}
