/*
 * A resource is initialised, and then deleted.
 */
#include <ntddk.h>

static ERESOURCE Resource;

static VOID Unload(PDRIVER_OBJECT Driver)
{
    ExDeleteResourceLite(&Resource);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return ExInitializeResourceLite(&Resource);
}
