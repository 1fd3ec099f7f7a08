/*
 * What a driver has handed to the kernel it takes back before it is unloaded.
 */
#include <ntddk.h>

static KBUGCHECK_CALLBACK_RECORD Record;

static VOID Routine(PVOID Buffer, ULONG Length)
{
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    KeDeregisterBugCheckCallback(&Record);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KeInitializeCallbackRecord((&Record));
    KeRegisterBugCheckCallback(&Record, Routine, NULL, 0, (PUCHAR) "rule");
    return STATUS_SUCCESS;
}
