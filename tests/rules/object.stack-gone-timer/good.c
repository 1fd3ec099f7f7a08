/*
 * An object that the kernel holds must outlive the routine that handed it over. A global variable lives as long as the
 * driver.
 */
#include <ntddk.h>

static KTIMER Timer;

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeCancelTimer(&Timer);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LARGE_INTEGER Due = {.QuadPart = -10000};

    Driver->DriverUnload = Unload;
    KeInitializeTimer(&Timer);
    KeSetTimer(&Timer, Due, NULL);
    return STATUS_SUCCESS;
}
