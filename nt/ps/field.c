/*
 * What drivers read of the running process and thread. Undocumented routines, widely used; each reads a field or says what
 * does not exist here: graphics, protected processes, sessions other than 0.
 */
#include "nt.h"

ULONG NTAPI PsGetCurrentProcessSessionId(VOID)
{
    return 0;
}

PVOID NTAPI PsGetCurrentProcessWow64Process(VOID)
{
    return PspCurrentProcess()->Wow64Process;
}

PVOID NTAPI PsGetCurrentProcessWin32Process(VOID)
{
    return NULL;
}

PVOID NTAPI PsGetProcessWin32Process(PEPROCESS Process)
{
    return NULL;
}

PVOID NTAPI PsGetCurrentThreadWin32Thread(VOID)
{
    return NULL;
}

/* The process that the thread belongs to, also while it is attached to another. */
PEPROCESS NTAPI PsGetCurrentThreadProcess(VOID)
{
    return (PEPROCESS)KeGetCurrentThread()->Process;
}

HANDLE NTAPI PsGetCurrentThreadProcessId(VOID)
{
    return PsGetCurrentThreadProcess()->UniqueProcessId;
}

KPROCESSOR_MODE NTAPI PsGetCurrentThreadPreviousMode(VOID)
{
    return ExGetPreviousMode();
}

PVOID NTAPI PsGetCurrentThreadStackBase(VOID)
{
    return KeGetCurrentThread()->StackBase;
}

PVOID NTAPI PsGetCurrentThreadStackLimit(VOID)
{
    return KeGetCurrentThread()->StackLimit;
}

BOOLEAN NTAPI PsGetProcessExitProcessCalled(PEPROCESS Process)
{
    return Process->Ending;
}

UCHAR NTAPI PsGetProcessProtection(PEPROCESS Process)
{
    return 0;
}

BOOLEAN NTAPI PsIsProtectedProcessLight(PEPROCESS Process)
{
    return FALSE;
}

BOOLEAN NTAPI PsIsSystemProcess(PEPROCESS Process)
{
    return Process == PsInitialSystemProcess;
}

BOOLEAN NTAPI KeIsAttachedProcess(VOID)
{
    return KeGetCurrentThread()->ApcStateIndex != 0;
}

/* Both of a thread named by process and thread; the process only if it is asked for. */
NTSTATUS NTAPI PsLookupProcessThreadByCid(PCLIENT_ID ClientId, PEPROCESS *Process, PETHREAD *Thread)
{
    PETHREAD Found;
    NTSTATUS Status = PsLookupThreadByThreadId(ClientId->UniqueThread, &Found);

    if (!NT_SUCCESS(Status) || Found->Cid.UniqueProcess != ClientId->UniqueProcess) {
        if (NT_SUCCESS(Status))
            ObfDereferenceObject(Found);
        return STATUS_INVALID_CID;
    }
    if (Process) {
        *Process = (PEPROCESS)Found->Tcb.Process;
        ObfReferenceObject(*Process);
    }
    *Thread = Found;
    return STATUS_SUCCESS;
}
