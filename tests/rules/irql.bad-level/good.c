/*
 * IRQLs are 0 to 15.
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    ULONG64 Before = __readcr8();
    __writecr8(HIGH_LEVEL);
    __writecr8(Before);
    return STATUS_SUCCESS;
}
