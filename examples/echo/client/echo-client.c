/*
 * The program at the one end of echo.c's walk: an ordinary Linux program that is a user process of the machine.
 *
 *     irqlab run --client build/examples/echo-client build/examples/echo.sys
 *
 * With a number as its argument it sends that many and one more, and dies by a wild pointer while the device works on that: it
 * alone ends, with its status, and another program's requests go on (the talk's T5):
 *
 *     irqlab run --client "build/examples/echo-client 1 & build/examples/echo-client; wait" build/examples/echo.sys build/examples/guard.sys
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <irqlab-client.h>

#define IOCTL_ECHO CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)

static HANDLE device;

static int send_and_receive(const char *text)
{
    char back[64] = "";
    DWORD bytes = 0;
    if (!DeviceIoControl(device, IOCTL_ECHO, (LPVOID)text, (DWORD)strlen(text), back, sizeof back - 1, &bytes, NULL)) {
        printf("DeviceIoControl: error %u\n", GetLastError());
        return 1;
    }
    return bytes != strlen(text) || strcmp(back, text);
}

/* A request whose result goes nowhere. */
static void start_one(void)
{
    static OVERLAPPED overlapped;
    static char back[64];
    HANDLE own =
        CreateFileA("\\\\.\\Echo", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, FILE_FLAG_OVERLAPPED, NULL);
    if (!DeviceIoControl(own, IOCTL_ECHO, "never seen", 10, back, sizeof back, NULL, &overlapped) &&
        GetLastError() != ERROR_IO_PENDING)
        printf("DeviceIoControl: error %u\n", GetLastError());
}

int main(int argc, char **argv)
{
    int requests = argc > 1 ? atoi(argv[1]) : 1, failed = 0;
    device = CreateFileA("\\\\.\\Echo", GENERIC_READ | GENERIC_WRITE, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (device == INVALID_HANDLE_VALUE) {
        printf("CreateFile: error %u\n", GetLastError());
        return 1;
    }
    for (int i = 0; i < requests; i++)
        failed |= send_and_receive("hello, device");
    printf("process %u: %d requests, %s\n", GetCurrentProcessId(), requests, failed ? "wrong" : "all came back");
    fflush(stdout);
    if (argc > 1) {
        start_one();
        volatile int *volatile wild = NULL;
        *wild = 1;
    }
    CloseHandle(device);
    return failed;
}
