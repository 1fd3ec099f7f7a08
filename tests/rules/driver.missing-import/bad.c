/*
 * Calls what the system does not export.
 *
 * EXPECT: driver\.missing-import bad\.c:@ in Unload
 * EXIT: 3
 */
#include <ntddk.h>

__declspec(dllimport) VOID NTAPI KeThisDoesNotExist(ULONG Number);

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    KeThisDoesNotExist(1); /* @ */
    DbgPrint("called\n");
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    Driver->DriverUnload = Unload;
    return STATUS_SUCCESS;
}
