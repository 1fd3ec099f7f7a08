/*
 * The twin nests with KeStackAttachProcess.
 *
 * OPTIONS: --scenario tests/rules/process.bad-attach/scenario.lua
 */
#include <ntifs.h>

static PEPROCESS First;

static VOID NTAPI Notify(HANDLE Parent, HANDLE Id, BOOLEAN Created)
{
    KAPC_STATE Outer, Inner;
    PEPROCESS Process;

    if (!Created || !NT_SUCCESS(PsLookupProcessByProcessId(Id, &Process)))
        return;
    if (!First) {
        First = Process;
        return;
    }
    KeStackAttachProcess((PVOID)First, &Outer);
    KeStackAttachProcess((PVOID)Process, &Inner);
    KeUnstackDetachProcess(&Inner);
    KeUnstackDetachProcess(&Outer);
    ObDereferenceObject(Process);
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    PsSetCreateProcessNotifyRoutine(Notify, TRUE);
    if (First)
        ObDereferenceObject(First);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return PsSetCreateProcessNotifyRoutine(Notify, FALSE);
}
