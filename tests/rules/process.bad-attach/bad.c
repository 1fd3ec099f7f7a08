/*
 * KeAttachProcess does not nest: who is attached to one process can't be in another.
 *
 * EXPECT: process.bad-attach bad.c:@ in Notify
 * OPTIONS: --scenario tests/rules/process.bad-attach/scenario.lua
 */
#include <ntifs.h>

static PEPROCESS First;

static VOID NTAPI Notify(HANDLE Parent, HANDLE Id, BOOLEAN Created)
{
    PEPROCESS Process;

    if (!Created || !NT_SUCCESS(PsLookupProcessByProcessId(Id, &Process)))
        return;
    if (!First) {
        First = Process;
        return;
    }
    KeAttachProcess((PVOID)First);
    KeAttachProcess((PVOID)Process); /* @ */
    KeDetachProcess();
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
