/*
 * A hundred overlapped requests at once on a device that keeps them (tests/user/queue.c), which other programs use, too: every
 * third is cancelled if nobody has let it go by then, the others are let go by whoever comes. Each ends once, with its own result.
 * Argument `dies`: it ends with all of them under way.
 */
#include <stdio.h>
#include <stdlib.h>
#include "irqlab-client.h"

#define CODE(number) CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800 + (number), METHOD_BUFFERED, FILE_ANY_ACCESS)
enum { MANY = 100 };

static OVERLAPPED overlapped[MANY];
static DWORD out[MANY];
static BOOL cancelled[MANY];

static int bad(int i, const char *what)
{
    printf("request %d: %s, error %u\n", i, what, GetLastError());
    return 1;
}

static int check(HANDLE queue, int i)
{
    DWORD bytes = 77;
    BOOL good = GetOverlappedResult(queue, &overlapped[i], &bytes, TRUE);
    if (cancelled[i])
        return good || GetLastError() != ERROR_OPERATION_ABORTED || out[i] ? bad(i, "was not cancelled") : 0;
    return !good || bytes != 4 || out[i] != 0x1234 ? bad(i, "has no result") : 0;
}

int main(int argc, char **argv)
{
    HANDLE queue = CreateFileA("\\\\.\\Queue", GENERIC_READ, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    HANDLE control = CreateFileA("\\\\.\\Queue", GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    int failures = 0;
    for (int i = 0; i < MANY; i++) {
        overlapped[i].hEvent = CreateEventA(NULL, TRUE, FALSE, NULL);
        if (DeviceIoControl(queue, CODE(0), NULL, 0, &out[i], sizeof out[i], NULL, &overlapped[i]) ||
            GetLastError() != ERROR_IO_PENDING)
            return bad(i, "does not wait");
        if (i % 3 == 0 && argc == 1)
            cancelled[i] = CancelIoEx(queue, &overlapped[i]);
    }
    if (argc > 1)
        abort();
    while (DeviceIoControl(control, CODE(2), NULL, 0, NULL, 0, NULL, NULL))
        ;
    for (int i = 0; i < MANY; i++)
        failures += check(queue, i);
    if (!failures)
        puts("all of them ended as they should");
    return failures != 0;
}
