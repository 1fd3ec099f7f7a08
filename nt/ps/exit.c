/*
 * The end of threads and processes.
 *
 * A user thread that is to end does so when it is next in user mode: its waits of UserMode end at once, what a driver
 * does on its behalf is not interrupted. The last thread takes the process with it, in this order: the notification
 * routines, its requests, the handles (so that drivers see IRP_MJ_CLEANUP in the process's context), the memory. (docs:
 * ZwTerminateProcess, PsSetCreateProcessNotifyRoutine, "Canceling IRPs": a thread's requests are cancelled)
 */
#include "nt.h"
#include "mm/space.h"

VOID PspEndThread(PETHREAD Thread, NTSTATUS Status)
{
    if (Thread->Tcb.UserEnds || Thread->Terminating)
        return;
    Thread->EndsWith = Status;
    Thread->Tcb.UserEnds = TRUE;
    KiEndUserWaits(&Thread->Tcb);
}

/* All its threads are to end, the current one included, which ends when it gets there. */
VOID PspEndProcess(PEPROCESS Process, NTSTATUS Status)
{
    if (Process->Ending)
        return;
    Process->Ending = TRUE;
    Process->ExitStatus = Status;
    for (PLIST_ENTRY Entry = Process->Pcb.ThreadListHead.Flink, Next; Entry != &Process->Pcb.ThreadListHead;
         Entry = Next) {
        Next = Entry->Flink;
        PspEndThread((PETHREAD)CONTAINING_RECORD(Entry, struct _KTHREAD, ThreadListEntry), Status);
    }
}

/* In the last thread of a user process. */
static VOID PspExitProcess(PEPROCESS Process, NTSTATUS Status)
{
    if (!Process->Ending)
        Process->ExitStatus = Status;
    Process->Ending = TRUE;
    Process->ExitTime.QuadPart = KiSystemTime();
    if (Process->Announced)
        PspNotifyProcess(Process, NULL, FALSE);
    PspLeaveJob(Process);
}

static VOID PspCleanProcess(PEPROCESS Process)
{
    ObpCloseTable(Process->ObjectTable);
    MmCheckLockedPages(Process);
    MiCloseUserWindows();
    MmDeleteProcessMemory(Process);
    Process->Exited = TRUE;
    KIRQL OldIrql = KiRaiseIrql(DISPATCH_LEVEL);
    Process->Pcb.Header.SignalState = TRUE;
    KiWaitTest(&Process->Pcb.Header, 0);
    KiExitDispatcher(OldIrql);
}

DECLSPEC_NORETURN VOID PspExitThread(NTSTATUS Status)
{
    PETHREAD Thread = (PETHREAD)KeGetCurrentThread();
    PEPROCESS Process = (PEPROCESS)Thread->Tcb.Process;
    BOOLEAN Last = --Process->LiveThreads == 0 && PspIsUser(Process);

    Thread->ExitStatus = Status;
    Thread->ExitTime.QuadPart = KiSystemTime();
    if (Thread->Start) {
        KiCheckMutexes(&Thread->Tcb);
        VfLeaveCallback(Thread->Start);
        Thread->Start = NULL;
    }
    Thread->Tcb.UserEnds = FALSE; /* what its end waits for does come */
    PspNotifyThread(Thread, FALSE);
    if (Last)
        PspExitProcess(Process, Status);
    ObpThreadEnds(Thread);
    IopThreadEnds(Thread);
    SepThreadGoes(Thread);
    if (Last)
        PspCleanProcess(Process);
    PspAnswerLast(&Thread->LastCall);
    if (Last)
        PspAnswerLast(&Process->LastCall);
    Thread->Terminating = TRUE;
    KiTerminateThread(Status, PspReap);
}

VOID PspEndProcesses(VOID)
{
    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses;) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        LARGE_INTEGER Patience = {.QuadPart = -60 * 10000000ll};
        if (!PspIsUser(Process) || Process->Exited) {
            Entry = Entry->Flink;
            continue;
        }
        ObfReferenceObject(Process);
        PspEndProcess(Process, STATUS_SYSTEM_SHUTDOWN);
        KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, &Patience);
        if (!Process->Exited)
            VfRemark("process %u (%s) does not end: a driver keeps one of its threads",
                     (ULONG)(UINT64)Process->UniqueProcessId, Process->ImageFileName);
        Entry = Process->ActiveProcessLinks.Flink;
        ObfDereferenceObject(Process);
    }
}

/* ---- Services ------------------------------------------------------------------------------------------------------
 */

/* docs: ZwTerminateProcess: NULL stands for the other threads of the caller's process; -1 for all of it. */
NTSTATUS NTAPI NtTerminateProcess(HANDLE Handle, NTSTATUS ExitStatus)
{
    PEPROCESS Process, Own = (PEPROCESS)KeGetCurrentThread()->Process;
    PETHREAD Current = (PETHREAD)KeGetCurrentThread();
    NTSTATUS Status;

    if (!Handle) {
        for (PLIST_ENTRY Entry = Own->Pcb.ThreadListHead.Flink, Next; Entry != &Own->Pcb.ThreadListHead; Entry = Next) {
            PETHREAD Thread = (PETHREAD)CONTAINING_RECORD(Entry, struct _KTHREAD, ThreadListEntry);
            Next = Entry->Flink;
            if (Thread != Current && PspIsUser(Own))
                PspEndThread(Thread, ExitStatus);
        }
        return STATUS_SUCCESS;
    }
    Status = ObReferenceObjectByHandle(Handle, 1 /* PROCESS_TERMINATE */, PspProcessType, ExGetPreviousMode(),
                                       (PVOID *)&Process, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!PspIsUser(Process))
        Status = STATUS_ACCESS_DENIED; /* System */
    else if (Process->Ending)
        Status = STATUS_PROCESS_IS_TERMINATING;
    else
        PspEndProcess(Process, ExitStatus);
    ObfDereferenceObject(Process);
    return Status;
}

NTSTATUS NTAPI NtTerminateThread(HANDLE Handle, NTSTATUS ExitStatus)
{
    PETHREAD Thread = (PETHREAD)KeGetCurrentThread();
    NTSTATUS Status = STATUS_SUCCESS;

    if (!Handle)
        ObfReferenceObject(Thread);
    else
        Status = ObReferenceObjectByHandle(Handle, 1 /* THREAD_TERMINATE */, PspThreadType, ExGetPreviousMode(),
                                           (PVOID *)&Thread, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (PspIsUser((PEPROCESS)Thread->Tcb.Process))
        PspEndThread(Thread, ExitStatus);
    else
        Status = STATUS_INVALID_PARAMETER;
    ObfDereferenceObject(Thread);
    return Status;
}
