/*
 * The routine of KeGenericCallDpc forgets, on a path of its own, to say that it is done.
 * EXPECT: dpc\.call-without-end bad\.c:@ in DriverEntry
 * OPTIONS: --cpus 2
 */
#include <ntddk.h>

NTKERNELAPI VOID NTAPI KeGenericCallDpc(PKDEFERRED_ROUTINE Routine, PVOID Context);
NTKERNELAPI VOID NTAPI KeSignalCallDpcDone(PVOID SystemArgument1);

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static VOID NTAPI OnEach(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    if (KeGetCurrentProcessorNumberEx(NULL) == 1)
        return;
    KeSignalCallDpcDone(Argument1);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    DriverObject->DriverUnload = Unload;
    KeGenericCallDpc(OnEach, NULL); /* @ */
    return STATUS_SUCCESS;
}
