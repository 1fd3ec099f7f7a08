/* Buffers of a program: memory of VirtualAlloc, which is the process's own, and bad ones (tests/user/echo.c, tests/user/queue.c). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "irqlab-client.h"

static int failures, checks;
#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(condition)) {                                                                                            \
            failures++;                                                                                                \
            printf("FAIL line %d: %s (last error %u)\n", __LINE__, #condition, GetLastError());                        \
        }                                                                                                              \
    } while (0)

#define CODE(number, method) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), method, FILE_ANY_ACCESS)
#define ALLOCATE (MEM_RESERVE | MEM_COMMIT)
enum { BYTES = 3 << 20 };

static BOOL control(HANDLE h, DWORD code, void *in, DWORD in_bytes, void *out, DWORD room, DWORD *bytes)
{
    *bytes = 0;
    return DeviceIoControl(h, code, in, in_bytes, out, room, bytes, NULL);
}

static void methods(HANDLE h)
{
    static const unsigned codes[] = {CODE(0, METHOD_BUFFERED), CODE(1, METHOD_OUT_DIRECT), CODE(2, METHOD_NEITHER)};
    char *in = VirtualAlloc(NULL, BYTES, ALLOCATE, PAGE_READWRITE), *out;
    DWORD bytes;
    CHECK(in && ((uintptr_t)in & 0xffff) == 0 && !in[0] && !in[BYTES - 1]);
    out = VirtualAlloc(NULL, BYTES, ALLOCATE, PAGE_READWRITE);
    for (int i = 0; i < BYTES; i++)
        in[i] = (char)(i * 7 >> 3);
    for (int i = 0; i < 3; i++) {
        memset(out, 0, BYTES);
        CHECK(control(h, codes[i], in + 3, BYTES - 8, out + 5, BYTES - 8, &bytes));
        CHECK(bytes == BYTES - 8 && !memcmp(in + 3, out + 5, i ? BYTES - 8 : 0) && !out[4] && !out[BYTES - 3]);
    }
    CHECK(VirtualFree(in, 0, MEM_RELEASE) && VirtualFree(out, 0, MEM_RELEASE));
    CHECK(!VirtualFree(in, 0, MEM_RELEASE));
    in = VirtualAlloc(NULL, BYTES, ALLOCATE, PAGE_READWRITE);
    CHECK(in && !in[3] && !in[BYTES - 1]); /* new again */
    CHECK(VirtualFree(in, 0, MEM_RELEASE));
}

/* A pointer in a buffer means the same to the driver. */
static void pointers(HANDLE h)
{
    char *text = VirtualAlloc(NULL, 4096, ALLOCATE, PAGE_READWRITE), out[8];
    DWORD bytes;
    memcpy(text + 100, "pointed", 8);
    text += 100;
    CHECK(control(h, CODE(4, METHOD_BUFFERED), &text, sizeof text, out, sizeof out, &bytes) &&
          !memcmp(out, "pointed", 8));
    CHECK(VirtualFree(text - 100, 0, MEM_RELEASE));
}

static void protections(HANDLE h)
{
    char *p = VirtualAlloc(NULL, 8192, MEM_RESERVE, PAGE_READWRITE);
    DWORD bytes, old = 0;
    CHECK(p && VirtualAlloc(p, 4096, MEM_COMMIT, PAGE_READWRITE) == p);
    p[0] = 'p';
    CHECK(control(h, CODE(1, METHOD_OUT_DIRECT), p, 16, p + 16, 16, &bytes) && p[16] == 'p');
    CHECK(!control(h, CODE(1, METHOD_OUT_DIRECT), p, 16, p + 4090, 16, &bytes) && GetLastError() == ERROR_NOACCESS);
    CHECK(VirtualProtect(p, 4096, PAGE_READONLY, &old) && old == PAGE_READWRITE && p[0] == 'p');
    CHECK(!control(h, CODE(1, METHOD_OUT_DIRECT), p, 16, p + 16, 16, &bytes) && GetLastError() == ERROR_NOACCESS);
    CHECK(!control(h, CODE(0, METHOD_BUFFERED), p, 16, p + 16, 16, &bytes) && GetLastError() == ERROR_NOACCESS);
    CHECK(VirtualFree(p, 4096, MEM_DECOMMIT) && VirtualAlloc(p, 4096, MEM_COMMIT, PAGE_READWRITE) == p && !p[0]);
    CHECK(VirtualFree(p, 0, MEM_RELEASE));
    CHECK(!control(h, CODE(1, METHOD_OUT_DIRECT), p, 16, p, 16, &bytes) && GetLastError() == ERROR_NOACCESS);
    CHECK(!VirtualAlloc(NULL, 1ull << 40, ALLOCATE, PAGE_READWRITE) &&
          GetLastError() == 1455 /* ERROR_COMMITMENT_LIMIT */);
    CHECK(!VirtualAlloc(&bytes, 4096, ALLOCATE, PAGE_READWRITE) && GetLastError() == ERROR_INVALID_ADDRESS);
    CHECK(!VirtualAlloc(NULL, 4096, ALLOCATE, 0x77) && GetLastError() == ERROR_INVALID_PARAMETER);
}

/* What a driver writes without saying so is there all the same; and what is nowhere is no access, and no crash. */
static void others(HANDLE h)
{
    static const char fixed[64] = "fixed";
    char out[16], *wild = (char *)16;
    DWORD bytes = 99;
    memset(out, 'x', sizeof out);
    CHECK(control(h, CODE(5, METHOD_OUT_DIRECT), NULL, 0, out, 8, &bytes) && !bytes &&
          !memcmp(out, "55555555xxxxxxxx", 16));
    for (DWORD method = METHOD_BUFFERED; method <= METHOD_OUT_DIRECT; method += METHOD_OUT_DIRECT) {
        DWORD code = CODE(method / 2, method);
        CHECK(!control(h, code, wild, 16, out, 16, &bytes) && GetLastError() == ERROR_NOACCESS);
        CHECK(!control(h, code, out, 16, wild, 16, &bytes) && GetLastError() == ERROR_NOACCESS);
    }
    CHECK(!control(h, CODE(0, METHOD_BUFFERED), out, 16, (char *)fixed, 16, &bytes) &&
          GetLastError() == ERROR_NOACCESS);
}

/* Given back while a request has it: nothing new lies there until the request is done. */
static void freed_while_pending(HANDLE queue, HANDLE release)
{
    OVERLAPPED o = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD *first = VirtualAlloc(NULL, 4096, ALLOCATE, PAGE_READWRITE), *second, *third, bytes;
    CHECK(!DeviceIoControl(queue, CODE(3, METHOD_OUT_DIRECT), NULL, 0, first, 4, NULL, &o) &&
          GetLastError() == ERROR_IO_PENDING);
    CHECK(VirtualFree(first, 0, MEM_RELEASE));
    second = VirtualAlloc(NULL, 4096, ALLOCATE, PAGE_READWRITE);
    CHECK(second && second != first);
    CHECK(!VirtualAlloc(first, 4096, ALLOCATE, PAGE_READWRITE));
    CHECK(DeviceIoControl(release, CODE(2, METHOD_BUFFERED), NULL, 0, NULL, 0, NULL, NULL));
    CHECK(GetOverlappedResult(queue, &o, &bytes, TRUE) && bytes == 4 && !*second);
    third = VirtualAlloc(first, 4096, ALLOCATE, PAGE_READWRITE);
    CHECK(third == first && !*third);
    CHECK(VirtualFree(second, 0, MEM_RELEASE) && VirtualFree(third, 0, MEM_RELEASE) && CloseHandle(o.hEvent));
}

/* Direct into the program's memory, while the request is under way. */
static void overlapped(HANDLE queue, HANDLE release)
{
    OVERLAPPED o = {.hEvent = CreateEventA(NULL, TRUE, FALSE, NULL)};
    DWORD *out = VirtualAlloc(NULL, 4096, ALLOCATE, PAGE_READWRITE), bytes;
    CHECK(!DeviceIoControl(queue, CODE(3, METHOD_OUT_DIRECT), NULL, 0, out, 4, NULL, &o));
    CHECK(*out == 0 && DeviceIoControl(release, CODE(2, METHOD_BUFFERED), NULL, 0, NULL, 0, NULL, NULL));
    CHECK(*out == 0x1234); /* before anybody asks */
    CHECK(GetOverlappedResult(queue, &o, &bytes, TRUE) && bytes == 4);
    CHECK(VirtualFree(out, 0, MEM_RELEASE) && CloseHandle(o.hEvent));
}

int main(void)
{
    HANDLE echo = CreateFileA("\\\\.\\Echo", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    HANDLE queue = CreateFileA("\\\\.\\Queue", GENERIC_READ, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    HANDLE release = CreateFileA("\\\\.\\Queue", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    CHECK(echo != INVALID_HANDLE_VALUE && queue != INVALID_HANDLE_VALUE && release != INVALID_HANDLE_VALUE);
    methods(echo);
    pointers(echo);
    protections(echo);
    others(echo);
    overlapped(queue, release);
    freed_while_pending(queue, release);
    CHECK(CloseHandle(echo) && CloseHandle(queue) && CloseHandle(release));
    printf("%d checks, %d failures\n", checks, failures);
    return failures != 0;
}
