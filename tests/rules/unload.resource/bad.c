/*
 * The kernel keeps all resources in a list: this one stays in it when the driver is unloaded.
 *
 * EXPECT: unload\.resource bad\.c:@ in DriverEntry
 */
#include <ntddk.h>

static ERESOURCE Resource;

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    ExInitializeResourceLite(&Resource); /* @ */
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
