/*
 * An object that the kernel holds must outlive the routine that handed it over. This timer is a local variable of
 * DriverEntry.
 *
 * EXPECT: object.stack-gone .*DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};
    KTIMER Timer;

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, Due, NULL);
    return STATUS_SUCCESS;
}
