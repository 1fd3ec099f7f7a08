/*
 * A program that opens both children of bus.c, by the names that widget.c gives them, and asks each which one it is.
 *
 *     irqlab run --device 'Root\ToyBus=bus.sys' --device 'ToyBus\Widget=widget.sys' --client build/examples/bus-client \
 *         build/examples/bus.sys build/examples/widget.sys
 */
#include <stdio.h>
#include <irqlab-client.h>

#define IOCTL_WIDGET_NUMBER CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_READ_ACCESS)
#define WIDGETS 2

/* 0 = it is the one of this name. */
static int ask(const char *name, DWORD expected)
{
    DWORD number = 0, bytes = 0;
    HANDLE widget = CreateFileA(name, GENERIC_READ, 0, NULL, OPEN_EXISTING, 0, NULL);
    if (widget == INVALID_HANDLE_VALUE) {
        printf("%s: CreateFile: error %u\n", name, GetLastError());
        return 1;
    }
    BOOL good = DeviceIoControl(widget, IOCTL_WIDGET_NUMBER, NULL, 0, &number, sizeof number, &bytes, NULL);
    if (good)
        printf("%s: I am widget %u\n", name, number);
    else
        printf("%s: DeviceIoControl: error %u\n", name, GetLastError());
    CloseHandle(widget);
    return !good || bytes != sizeof number || number != expected;
}

int main(void)
{
    int failed = 0;
    for (DWORD i = 1; i <= WIDGETS; i++) {
        char name[32];
        snprintf(name, sizeof name, "\\\\.\\Widget%u", i);
        failed |= ask(name, i);
    }
    return failed;
}
