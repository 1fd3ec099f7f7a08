/*
 * An object that the kernel still holds is not initialised anew. This timer is set.
 *
 * EXPECT: object.reinitialized-in-use bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static KTIMER Timer;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, Due, NULL);
    KeInitializeTimer(&Timer); /* @ */
    return STATUS_SUCCESS;
}
