/*
 * System threads.
 *
 * A thread is created with its routine's contract around it: the routine is entered at PASSIVE_LEVEL and must end
 * there, holding nothing. It ends by returning or by PsTerminateSystemThread, whose effect is the same.
 *
 * The thread object is the topmost thing in its stack's slot (see psp.h), so its memory must outlive the last switch
 * away from it: KiTerminateThread gives up the thread's own reference only when another thread runs.
 */
#include "nt.h"

POBJECT_TYPE PspThreadType;
POBJECT_TYPE *PsThreadType;

#define PSP_OBJECT_BYTES ((sizeof(OBP_HEADER) + sizeof(ETHREAD) + 63) & ~63ull)

static VOID PspFreeThread(PVOID Memory)
{
    MmDeleteKernelStack(((UINT64)Memory - DOOR_STACK_BASE) / DOOR_STACK_SLOT);
}

static VOID PspDeleteThread(PVOID Body)
{
    PETHREAD Thread = Body;
    PspForgetId(Thread->Cid.UniqueThread);
    ObfDereferenceObject(Thread->Tcb.Process);
}

VOID PspInitializeThreads(VOID)
{
    PspThreadType =
        ObpCreateType(&(OB_TYPE_INIT){.Name = L"Thread",
                                      .BodyBytes = sizeof(ETHREAD),
                                      .Waitable = TRUE,
                                      .ObjectCallbacks = TRUE,
                                      .ValidAccess = THREAD_ALL_ACCESS,
                                      .Mapping = {STANDARD_RIGHTS_READ | 0x48, STANDARD_RIGHTS_WRITE | 0x437,
                                                  STANDARD_RIGHTS_EXECUTE | 0x100800, THREAD_ALL_ACCESS},
                                      .Delete = PspDeleteThread,
                                      .Free = PspFreeThread});
    PsThreadType = (PVOID)PspThreadType;
}

/* ---- The life of a thread ---------------------------------------------------------------------------------------- */

VOID PspReap(PKTHREAD Thread)
{
    ObfDereferenceObject(Thread);
}

static VOID NTAPI PspSystemThreadStartup(PVOID Context)
{
    PETHREAD Thread = Context;
    Thread->Started = TRUE;
    if (!Thread->Tcb.SystemThread) { /* a driver's, see PspCreateSystemThread */
        VF_CALLBACK Callback = {.Contract = "KSTART_ROUTINE",
                                .What = "system thread %o",
                                .Routine = Thread->StartRoutine,
                                .Object = Thread->StartRoutine,
                                .Stack = Thread->Tcb.CreatedBy,
                                .StackText = "The thread was created at:"};
        Thread->Start = &Callback;
        VfEnterCallback(&Callback);
        Thread->StartRoutine(Thread->StartContext);
    } else
        Thread->StartRoutine(Thread->StartContext);
    PspExitThread(STATUS_SUCCESS);
}

/* A thread of Process that does not run yet, with two references: its own and the caller's. */
NTSTATUS PspMakeThread(PEPROCESS Process, PKSTART_ROUTINE System, PKSTART_ROUTINE Routine, PVOID Context,
                       PETHREAD *Result)
{
    UINT64 Slot;
    if (!MmCreateKernelStack(&Slot))
        return STATUS_INSUFFICIENT_RESOURCES;
    PVOID Memory = (PVOID)(MiStackBase(Slot) - PSP_OBJECT_BYTES);
    RtlZeroMemory(Memory, PSP_OBJECT_BYTES);
    PETHREAD Thread = ObpInitializeObject(PspThreadType, Memory);
    KiInitializeThread(&Thread->Tcb, &Process->Pcb, Slot, Memory, System, Thread);
    Thread->StartRoutine = Routine;
    Thread->StartContext = Context;
    Thread->Tcb.CreatedBy = ObpHeaderOf(Thread)->CreatedBy;
    Thread->Cid.UniqueProcess = Process->UniqueProcessId;
    Thread->Cid.UniqueThread = PspNewId(Thread);
    Thread->ExitStatus = STATUS_PENDING;
    InitializeListHead(&Thread->IrpList);
    InitializeListHead(&Thread->TimerList);
    InitializeListHead(&Thread->Calls);
    KeInitializeEvent(&Thread->Work, SynchronizationEvent, FALSE);
    Thread->CreateTime.QuadPart = KiSystemTime();
    Process->LiveThreads++;
    ObfReferenceObject(Process);
    ObfReferenceObject(Thread);
    *Result = Thread;
    return STATUS_SUCCESS;
}

NTSTATUS PspCreateSystemThread(PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver, PETHREAD *Result)
{
    return PspCreateThreadIn(PsInitialSystemProcess, Routine, Context, OfDriver, Result);
}

/* IoObject: a driver or device that is held until the thread has ended, or NULL. */
static NTSTATUS PspStartThread(PEPROCESS Process, PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver,
                               PVOID IoObject, PETHREAD *Result)
{
    PETHREAD Thread;
    NTSTATUS Status = PspMakeThread(Process, PspSystemThreadStartup, Routine, Context, &Thread);
    if (!NT_SUCCESS(Status))
        return Status;
    Thread->Tcb.SystemThread = !OfDriver;
    Thread->IoObject = IoObject;
    if (IoObject)
        IopHold(IoObject);
    PspNotifyThread(Thread, TRUE);
    KiReadyThread(&Thread->Tcb);
    *Result = Thread;
    return STATUS_SUCCESS;
}

/* A kernel thread, in any process. */
NTSTATUS PspCreateThreadIn(PEPROCESS Process, PKSTART_ROUTINE Routine, PVOID Context, BOOLEAN OfDriver,
                           PETHREAD *Result)
{
    return PspStartThread(Process, Routine, Context, OfDriver, NULL, Result);
}

/* docs: IoCreateSystemThread: the driver is not unloaded before the thread has ended; PsTerminateSystemThread is called for
 * it. */
NTSTATUS NTAPI IoCreateSystemThread(PVOID IoObject, PHANDLE Handle, ULONG Access, POBJECT_ATTRIBUTES Attributes,
                                    HANDLE Process, PCLIENT_ID Cid, PKSTART_ROUTINE Routine, PVOID Context)
{
    PMI_IMAGE Image = MmImageOf((UINT64)Routine);
    PETHREAD Thread;
    PVOID Owner = PsInitialSystemProcess;
    if (Process) {
        NTSTATUS Found = ObReferenceObjectByHandle(Process, 0, PspProcessType, KernelMode, &Owner, NULL);
        if (!NT_SUCCESS(Found))
            return Found;
    }
    NTSTATUS Status = ((PEPROCESS)Owner)->Ending
                          ? STATUS_PROCESS_IS_TERMINATING
                          : PspStartThread(Owner, Routine, Context, !Image || Image->Driver, IoObject, &Thread);
    if (Process)
        ObfDereferenceObject(Owner);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Cid)
        *Cid = Thread->Cid;
    ULONG Granted;
    ObpCaptureAccess(PspThreadType, Access, &Granted);
    Status = ObpCreateHandle(Thread, Granted, Attributes ? Attributes->Attributes : 0, Handle);
    ObfDereferenceObject(Thread);
    return Status;
}

/* docs: PsCreateSystemThread: in the System process when no process is given. */
NTSTATUS NTAPI PsCreateSystemThread(PHANDLE Handle, ULONG Access, POBJECT_ATTRIBUTES Attributes, HANDLE Process,
                                    PCLIENT_ID Cid, PKSTART_ROUTINE Routine, PVOID Context)
{
    return IoCreateSystemThread(NULL, Handle, Access, Attributes, Process, Cid, Routine, Context);
}

/* docs: PsTerminateSystemThread: ends the calling system thread; does not return then. */
NTSTATUS NTAPI PsTerminateSystemThread(NTSTATUS ExitStatus)
{
    PETHREAD Thread = (PETHREAD)KeGetCurrentThread();
    if (Thread->Tcb.SystemRoutine != PspSystemThreadStartup)
        return STATUS_INVALID_PARAMETER;
    PspExitThread(ExitStatus);
}

/* ---- Exports ----------------------------------------------------------------------------------------------------- */

HANDLE NTAPI PsGetThreadId(PETHREAD Thread)
{
    return Thread->Cid.UniqueThread;
}

HANDLE NTAPI PsGetThreadProcessId(PETHREAD Thread)
{
    return Thread->Cid.UniqueProcess;
}

PEPROCESS NTAPI PsGetThreadProcess(PETHREAD Thread)
{
    return (PEPROCESS)Thread->Tcb.Process;
}

PEPROCESS NTAPI IoThreadToProcess(PETHREAD Thread)
{
    return (PEPROCESS)Thread->Tcb.Process;
}

NTSTATUS NTAPI PsGetThreadExitStatus(PETHREAD Thread)
{
    return Thread->ExitStatus;
}

LONGLONG NTAPI PsGetThreadCreateTime(PETHREAD Thread)
{
    return Thread->CreateTime.QuadPart;
}

BOOLEAN NTAPI PsIsThreadTerminating(PETHREAD Thread)
{
    return Thread->Terminating;
}

BOOLEAN NTAPI PsIsSystemThread(PETHREAD Thread)
{
    return Thread->Tcb.Process == &PsInitialSystemProcess->Pcb;
}

BOOLEAN NTAPI IoIsSystemThread(PETHREAD Thread)
{
    return PsIsSystemThread(Thread);
}

/* Reserved for the system, says its page: keys are given out to parts of it that do not exist here, so no thread has any. */
PVOID NTAPI PsGetThreadProperty(PETHREAD Thread, ULONG_PTR Key, ULONG Flags)
{
    return NULL;
}

PVOID NTAPI PsGetThreadTeb(PETHREAD Thread)
{
    return Thread->Tcb.Teb;
}

PVOID NTAPI PsGetCurrentThreadTeb(VOID)
{
    return KeGetCurrentThread()->Teb;
}

PVOID NTAPI IoGetInitialStack(VOID)
{
    return KeGetCurrentThread()->StackBase;
}

VOID NTAPI IoGetStackLimits(PULONG_PTR Low, PULONG_PTR High)
{
    PKTHREAD Thread = KeGetCurrentThread();
    *Low = (ULONG_PTR)Thread->StackLimit;
    *High = (ULONG_PTR)Thread->StackBase;
}

ULONG NTAPI IoWithinStackLimits(ULONG_PTR Start, SIZE_T Bytes)
{
    PKTHREAD Thread = KeGetCurrentThread();
    return Start >= (ULONG_PTR)Thread->StackLimit && Start + Bytes <= (ULONG_PTR)Thread->StackBase &&
           Start + Bytes >= Start;
}

/* ---- For reports ------------------------------------------------------------------------------------------------- */

ULONG PspThreadNumber(PKTHREAD Thread)
{
    return Thread && Thread->Process ? (ULONG)(UINT64)((PETHREAD)Thread)->Cid.UniqueThread : 0;
}

ULONG PspCurrentThreadNumber(VOID)
{
    return PspThreadNumber(KeGetCurrentThread());
}

PKTHREAD PspNextThread(PKTHREAD Thread)
{
    PEPROCESS Process = Thread ? (PEPROCESS)Thread->Process : PsInitialSystemProcess;
    PLIST_ENTRY Entry = Thread ? Thread->ThreadListEntry.Flink : Process->Pcb.ThreadListHead.Flink;

    while (Entry == &Process->Pcb.ThreadListHead) { /* of this process it was the last */
        if (Process->ActiveProcessLinks.Flink == &PspProcesses)
            return NULL;
        Process = CONTAINING_RECORD(Process->ActiveProcessLinks.Flink, EPROCESS, ActiveProcessLinks);
        Entry = Process->Pcb.ThreadListHead.Flink;
    }
    return CONTAINING_RECORD(Entry, struct _KTHREAD, ThreadListEntry);
}
