/*
 * Processes as objects: System, in which all kernel threads run, Idle, user processes (create.c); and the table of ids.
 *
 * Ids of processes and threads come from one table, multiples of four in order of creation; System is 4, Idle is 0.
 */
#include "nt.h"
#include "mm/space.h"

PEPROCESS PsInitialSystemProcess, PsIdleProcess;
POBJECT_TYPE PspProcessType;
POBJECT_TYPE *PsProcessType;
ULONG NtBuildNumber; /* bits 28 to 31: a free build */

static OBP_TABLE PspIds;
LIST_ENTRY PspProcesses = {&PspProcesses, &PspProcesses};

HANDLE PspNewId(PVOID Object)
{
    return (HANDLE)((UINT64)ObpTableInsert(&PspIds, Object, 0, 0) * 4);
}

VOID PspForgetId(HANDLE Id)
{
    ObpTableRemove(&PspIds, (ULONG)((UINT64)Id / 4));
}

PEPROCESS PspMakeProcess(PCSTR Name)
{
    static ULONG PspSequence;
    PVOID Body;
    ObpAllocateObject(PspProcessType, sizeof(EPROCESS), &Body);
    PEPROCESS Process = Body;
    InitializeListHead(&Process->Pcb.Header.WaitListHead);
    Process->Pcb.Header.Type = 3; /* ProcessObject */
    Process->Pcb.BasePriority = 8;
    InitializeListHead(&Process->Pcb.ThreadListHead);
    Process->CreateTime.QuadPart = KiSystemTime();
    Process->ExitStatus = STATUS_PENDING;
    InitializeListHead(&Process->ActiveProcessLinks);
    Process->Sequence = PspSequence++;
    for (ULONG i = 0; Name[i] && i + 1 < sizeof(Process->ImageFileName); i++)
        Process->ImageFileName[i] = Name[i];
    return Process;
}

VOID PsInitialize(VOID)
{
    PspProcessType =
        ObpCreateType(&(OB_TYPE_INIT){.Name = L"Process",
                                      .BodyBytes = sizeof(EPROCESS),
                                      .Waitable = TRUE,
                                      .ObjectCallbacks = TRUE,
                                      .ValidAccess = PROCESS_ALL_ACCESS,
                                      .Mapping = {STANDARD_RIGHTS_READ | 0x410, STANDARD_RIGHTS_WRITE | 0xbea,
                                                  STANDARD_RIGHTS_EXECUTE | 0x101000, PROCESS_ALL_ACCESS},
                                      .Delete = PspDeleteProcess});
    PsProcessType = (PVOID)PspProcessType;
    NtBuildNumber = 0xf0000000 | KiDoor->os_build;
    PsIdleProcess = PspMakeProcess("Idle");
    PsInitialSystemProcess = PspMakeProcess("System");
    PsInitialSystemProcess->UniqueProcessId = PspNewId(PsInitialSystemProcess);
    InsertTailList(&PspProcesses, &PsInitialSystemProcess->ActiveProcessLinks);
    /* It has user memory, too: what drivers map or allocate there in DriverEntry. */
    PsInitialSystemProcess->Space = MiCreateSpace(PsInitialSystemProcess, FALSE);
    PspInitializeThreads();
    PspInitializeJobs();
}

/* ---- Exports ----------------------------------------------------------------------------------------------------- */

PEPROCESS NTAPI IoGetCurrentProcess(VOID)
{
    return PspCurrentProcess();
}

/* The thread a DPC has interrupted may be a processor's idle thread, which is no object and has the id 0. */
static PETHREAD PspCurrentThread(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();
    return Thread == KiProcessor()->IdleThread ? NULL : (PETHREAD)Thread;
}

HANDLE NTAPI PsGetCurrentProcessId(VOID)
{
    PETHREAD Thread = PspCurrentThread();
    return Thread ? Thread->Cid.UniqueProcess : 0;
}

HANDLE NTAPI PsGetCurrentThreadId(VOID)
{
    PETHREAD Thread = PspCurrentThread();
    return Thread ? Thread->Cid.UniqueThread : 0;
}

HANDLE NTAPI PsGetProcessId(PEPROCESS Process)
{
    return Process->UniqueProcessId;
}

LONGLONG NTAPI PsGetProcessCreateTimeQuadPart(PEPROCESS Process)
{
    return Process->CreateTime.QuadPart;
}

NTSTATUS NTAPI PsGetProcessExitStatus(PEPROCESS Process)
{
    return Process->ExitStatus;
}

/* Undocumented but widely used: up to 15 characters. */
PCHAR NTAPI PsGetProcessImageFileName(PEPROCESS Process)
{
    return Process->ImageFileName;
}

PVOID NTAPI PsGetProcessWow64Process(PEPROCESS Process)
{
    return Process->Wow64Process;
}

PVOID NTAPI PsGetProcessPeb(PEPROCESS Process)
{
    return Process->Peb;
}

PVOID NTAPI PsGetProcessSectionBaseAddress(PEPROCESS Process)
{
    return Process->SectionBaseAddress;
}

HANDLE NTAPI PsGetProcessInheritedFromUniqueProcessId(PEPROCESS Process)
{
    return Process->InheritedFromUniqueProcessId;
}

LARGE_INTEGER NTAPI PsGetProcessExitTime(VOID)
{
    return PspCurrentProcess()->ExitTime;
}

/* One session. */
ULONG NTAPI PsGetProcessSessionId(PEPROCESS Process)
{
    return 0;
}

PVOID NTAPI PsGetProcessDebugPort(PEPROCESS Process)
{
    return Process->DebugPort;
}

BOOLEAN NTAPI PsIsProcessBeingDebugged(PEPROCESS Process)
{
    return Process->DebugPort != NULL;
}

/* docs: PsGetProcessStartKey: unlike an id, of one process only. The boot counts as the first. */
ULONGLONG NTAPI PsGetProcessStartKey(PEPROCESS Process)
{
    return 1ull << 48 | Process->Sequence;
}

/* No graphics. */
PVOID NTAPI PsGetThreadWin32Thread(PETHREAD Thread)
{
    return NULL;
}

/* No protected processes here. */
BOOLEAN NTAPI PsIsProtectedProcess(PEPROCESS Process)
{
    return FALSE;
}

/* docs: IoIs32bitProcess: the process that issued the request; without one, or for a request of kernel mode, FALSE. */
BOOLEAN NTAPI IoIs32bitProcess(PIRP Irp)
{
    if (!Irp)
        return PspCurrentProcess()->Wow64Process != NULL;
    if (Irp->RequestorMode == KernelMode || !Irp->Tail.Overlay.Thread)
        return FALSE;
    return ((PEPROCESS)((PETHREAD)Irp->Tail.Overlay.Thread)->Tcb.Process)->Wow64Process != NULL;
}

static NTSTATUS PspLookup(HANDLE Id, POBJECT_TYPE Type, PVOID *Object)
{
    POBP_ENTRY Entry = (UINT64)Id >> 33 ? NULL : ObpTableEntry(&PspIds, (ULONG)((UINT64)Id / 4));
    *Object = NULL;
    if (!Entry || ObpTypeOf(Entry->Object) != Type)
        return STATUS_INVALID_PARAMETER;
    ObfReferenceObject(Entry->Object);
    *Object = Entry->Object;
    return STATUS_SUCCESS;
}

PEPROCESS PspFindProcess(ULONG Id)
{
    PVOID Object;
    return NT_SUCCESS(PspLookup((HANDLE)(UINT64)Id, PspProcessType, &Object)) ? Object : NULL;
}

/* docs: PsLookupProcessByProcessId: STATUS_INVALID_PARAMETER for an id that names none. */
NTSTATUS NTAPI PsLookupProcessByProcessId(HANDLE Id, PEPROCESS *Process)
{
    PVOID Object;
    NTSTATUS Status = PspLookup(Id, PspProcessType, &Object);
    if (NT_SUCCESS(Status))
        *Process = Object;
    return Status;
}

NTSTATUS NTAPI PsLookupThreadByThreadId(HANDLE Id, PETHREAD *Thread)
{
    PVOID Object;
    NTSTATUS Status = PspLookup(Id, PspThreadType, &Object);
    if (NT_SUCCESS(Status))
        *Thread = Object;
    return Status;
}

/* docs: PsGetVersion (obsolete): TRUE means a checked build. */
BOOLEAN NTAPI PsGetVersion(PULONG Major, PULONG Minor, PULONG Build, PUNICODE_STRING ServicePack)
{
    if (Major)
        *Major = KiDoor->os_major;
    if (Minor)
        *Minor = KiDoor->os_minor;
    if (Build)
        *Build = KiDoor->os_build;
    if (ServicePack)
        ServicePack->Length = 0;
    return FALSE;
}
