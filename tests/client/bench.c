/* Round trips of a client; prints microseconds and MB/s. */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "irqlab-client.h"

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

int main(void)
{
    enum { ROUNDS = 20000, LARGE = 1 << 20, LARGE_ROUNDS = 200, BATCHES = 5 };
    static char in[LARGE], out[LARGE];
    double least = 1e9, most = 0, pipes = 1e9, copies;
    DWORD bytes;
    HANDLE h = CreateFileA("\\\\.\\Echo", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (h == INVALID_HANDLE_VALUE)
        return 1;
    memset(in, 'x', sizeof in);
    for (int b = 0; b < BATCHES; b++) {
        double begin = now(), each, p;
        for (int i = 0; i < ROUNDS; i++)
            if (!DeviceIoControl(h, CODE(0, METHOD_BUFFERED), in, 16, out, 16, &bytes, NULL) || bytes != 16)
                return 1;
        each = (now() - begin) / ROUNDS;
        least = each < least ? each : least;
        p = pipe_round_trip(ROUNDS);
        pipes = p < pipes ? p : pipes;
        begin = now();
        for (int i = 0; i < LARGE_ROUNDS; i++)
            if (!DeviceIoControl(h, CODE(1, METHOD_OUT_DIRECT), in, LARGE, out, LARGE, &bytes, NULL) || bytes != LARGE)
                return 1;
        each = LARGE_ROUNDS * (double)LARGE / (now() - begin);
        most = each > most ? each : most;
    }
    double begin = now();
    for (int i = 0; i < LARGE_ROUNDS; i++) {
        memcpy(out, in, LARGE);
        __asm__ volatile("" ::"r"(out) : "memory");
    }
    copies = LARGE_ROUNDS * (double)LARGE / (now() - begin);
    printf("client: control of 16 bytes, there and back  %7.2f us   (a byte through two pipes: %.2f us)\n", least, pipes);
    printf("client: 1 MiB in and out, direct I/O         %7.0f MB/s (one copy of it: %.0f MB/s)\n", most, copies);
    CloseHandle(h);
    return 0;
}
