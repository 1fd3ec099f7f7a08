/*
 * A length in shared memory is checked, and read again for the copy.
 * DEPTH: 2
 * EXPECT: driver\.bugcheck
 */
#include "../race.h"

static struct message {
    volatile ULONG length;
    UCHAR bytes[64];
} message = {.length = 4};

static VOID receive(PVOID context)
{
    UCHAR copy[8];

    if (message.length <= sizeof(copy)) {
        MUST(message.length <= sizeof(copy)); /* what RtlCopyMemory would be told */
        copy[0] = message.bytes[0];
    }
}

static VOID meddle(PVOID context)
{
    message.length = 64;
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    race(receive, meddle);
    return STATUS_SUCCESS;
}
