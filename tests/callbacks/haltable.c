/*
 * An entry of HalDispatchTable that does not exist here names itself when it is called.
 * STATUS: 3
 * EXPECT: ntoskrnl.exe!HalDispatchTable.HalQueryBusSlots is called, which does not exist here
 */
#include <ntddk.h>

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    ULONG Slot, Returned;

    return HalQueryBusSlots(NULL, sizeof(Slot), &Slot, &Returned);
}
