/*
 * An object that the kernel still holds is not initialised anew. It is cancelled first.
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
    KeCancelTimer(&Timer);
    KeInitializeTimer(&Timer);
    return STATUS_SUCCESS;
}
