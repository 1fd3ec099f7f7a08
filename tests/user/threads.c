/*
 * Notifications of threads and processes, as a list: which routine was called, for whom, in which thread. A process called
 * denied.exe is refused. (docs: PsSetCreateThreadNotifyRoutine, PsSetCreateThreadNotifyRoutineEx, PS_CREATE_NOTIFY_INFO)
 */
#include "device.h"

typedef struct _CALLED {
    ULONG Kind, Created, Process, Thread, Current;
} CALLED;

static CALLED Calls[64];
static ULONG Count;

static VOID Note(ULONG Kind, BOOLEAN Created, HANDLE Process, HANDLE Thread)
{
    if (Count < RTL_NUMBER_OF(Calls))
        Calls[Count++] = (CALLED){Kind, Created, (ULONG)(ULONG_PTR)Process, (ULONG)(ULONG_PTR)Thread,
                                  (ULONG)(ULONG_PTR)PsGetCurrentThreadId()};
}

static VOID NTAPI OnThread(HANDLE Process, HANDLE Thread, BOOLEAN Created)
{
    Note(1, Created, Process, Thread);
}

static VOID NTAPI OnNewThread(HANDLE Process, HANDLE Thread, BOOLEAN Created)
{
    Note(2, Created, Process, Thread);
}

static VOID NTAPI OnProcess(PEPROCESS Process, HANDLE Id, PPS_CREATE_NOTIFY_INFO Info)
{
    UNICODE_STRING Denied = RTL_CONSTANT_STRING(L"denied.exe"), End;

    Note(3, Info != NULL, Id, NULL);
    if (!Info || Info->ImageFileName->Length < Denied.Length)
        return;
    End = (UNICODE_STRING){Denied.Length, Denied.Length,
                           Info->ImageFileName->Buffer + (Info->ImageFileName->Length - Denied.Length) / 2};
    if (RtlEqualUnicodeString(&End, &Denied, TRUE))
        Info->CreationStatus = STATUS_ACCESS_DENIED;
}

static NTSTATUS NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp)
{
    ULONG Bytes = Count * sizeof(CALLED);

    RtlCopyMemory(Irp->AssociatedIrp.SystemBuffer, Calls, Bytes);
    Count = 0;
    return Finish(Irp, STATUS_SUCCESS, Bytes);
}

static VOID NTAPI Nothing(PVOID Context)
{
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    PsRemoveCreateThreadNotifyRoutine(OnThread);
    PsRemoveCreateThreadNotifyRoutine(OnNewThread);
    PsSetCreateProcessNotifyRoutineEx(OnProcess, TRUE);
    UnloadDevice(Driver);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)
{
    HANDLE Thread;
    NTSTATUS Status = MakeDevice(Driver, L"\\Device\\Threads", L"\\??\\Threads", Control);

    if (!NT_SUCCESS(Status))
        return Status;
    Driver->DriverUnload = Unload;
    if (PsSetCreateThreadNotifyRoutineEx(7, OnNewThread) != STATUS_INVALID_PARAMETER)
        return STATUS_UNSUCCESSFUL;
    PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifySubsystems, (PVOID)(ULONG_PTR)OnThread);
    PsSetCreateThreadNotifyRoutineEx(PsCreateThreadNotifyNonSystem, (PVOID)(ULONG_PTR)OnNewThread);
    PsSetCreateProcessNotifyRoutineEx(OnProcess, FALSE);
    Status = PsCreateSystemThread(&Thread, 0, NULL, NULL, NULL, Nothing, NULL);
    if (NT_SUCCESS(Status)) {
        ZwWaitForSingleObject(Thread, FALSE, NULL);
        ZwClose(Thread);
    }
    return Status;
}
