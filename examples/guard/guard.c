/*
 * A process guard: no process may start whose image is called forbidden.exe (T9 of the talk); and at which level the
 * notification routine runs (T16).
 *
 *   irqlab run --scenario examples/guard/guard.lua build/examples/guard.sys
 */
#include <ntddk.h>

#ifndef STATUS_CONTENT_BLOCKED
#define STATUS_CONTENT_BLOCKED ((NTSTATUS)0xC0000804)
#endif

static BOOLEAN EndsWith(PCUNICODE_STRING Text, PCWSTR End)
{
    UNICODE_STRING Tail, Wanted;

    RtlInitUnicodeString(&Wanted, End);
    if (Text->Length < Wanted.Length)
        return FALSE;
    Tail.Buffer = Text->Buffer + (Text->Length - Wanted.Length) / sizeof(WCHAR);
    Tail.Length = Tail.MaximumLength = Wanted.Length;
    return RtlEqualUnicodeString(&Tail, &Wanted, TRUE);
}

static VOID NTAPI OnProcess(PEPROCESS Process, HANDLE ProcessId, PPS_CREATE_NOTIFY_INFO Info)
{
    if (!Info) {
        DbgPrint("process %u ends, told at IRQL %u\n", (ULONG)(ULONG_PTR)ProcessId, KeGetCurrentIrql());
        return;
    }
    DbgPrint("process %u wants to start: %wZ, told at IRQL %u\n", (ULONG)(ULONG_PTR)ProcessId, Info->ImageFileName,
             KeGetCurrentIrql());
    if (EndsWith(Info->ImageFileName, L"\\forbidden.exe"))
        Info->CreationStatus = STATUS_CONTENT_BLOCKED;
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    PsSetCreateProcessNotifyRoutineEx(OnProcess, TRUE);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return PsSetCreateProcessNotifyRoutineEx(OnProcess, FALSE);
}
