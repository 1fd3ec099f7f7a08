/*
 * A resource is deleted that nobody has initialised.
 *
 * EXPECT: object.not-initialized bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static ERESOURCE Resource;

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    ExDeleteResourceLite(&Resource); /* @ */
    return STATUS_SUCCESS;
}
