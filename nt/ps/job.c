/*
 * Job objects: sets of processes that are limited, counted and ended together. (docs: "Job Objects", "Nested Jobs",
 * AssignProcessToJobObject, CreateJobObject, JOBOBJECT_ASSOCIATE_COMPLETION_PORT)
 *
 * A process is in one job and in all above it. It comes there by being assigned, or with its parent, unless a job lets its
 * children go, and stays until it ends. A job in which nobody is yet goes below that of the first process assigned to it.
 *
 * DIFFERS: limits by the scheduler and the working set are refused (STATUS_NOT_SUPPORTED). Limits of time are kept but never
 * reached, since programs take no processor time.
 */
#include "nt.h"
#include "mm/space.h"
#include "ps/job.h"

static POBJECT_TYPE PspJobType;
POBJECT_TYPE *PsJobType;

BOOLEAN PspIsInJob(PEPROCESS Process, PEJOB Job)
{
    for (PEJOB Of = Process->Job; Of; Of = Of->Parent)
        if (Of == Job)
            return TRUE;
    return FALSE;
}

VOID PspTellJob(PEJOB Job, ULONG Message, HANDLE Process)
{
    if (Job->Port)
        IoSetIoCompletion(Job->Port, Job->Key, Process, STATUS_SUCCESS, Message, FALSE);
}

/* ---- In and out ----------------------------------------------------------------------------------------------------- */

/* The process becomes one of Job and of all above it that it is not in yet. */
static NTSTATUS PspJoin(PEPROCESS Process, PEJOB Job)
{
    PEJOB Old = Process->Job;

    for (PEJOB Of = Job; Of && !PspIsInJob(Process, Of); Of = Of->Parent)
        if ((Of->Limits & PSP_LIMIT_ACTIVE) && Of->Active >= Of->ActiveLimit) {
            PspTellJob(Of, PspJobActiveLimit, NULL);
            return STATUS_QUOTA_EXCEEDED;
        }
    for (PEJOB Of = Job; Of && !PspIsInJob(Process, Of); Of = Of->Parent) {
        Of->Total++;
        Of->Active++;
        PspTellJob(Of, PspJobNewProcess, Process->UniqueProcessId);
    }
    ObfReferenceObject(Job);
    Process->Job = Job;
    if (Old)
        ObfDereferenceObject(Old);
    return STATUS_SUCCESS;
}

/* docs: JOB_OBJECT_LIMIT_SILENT_BREAKAWAY_OK: children are in no job that has it, but in the ones above. */
NTSTATUS PspInheritJob(PEPROCESS Process, PEPROCESS Parent)
{
    PEJOB Job = Parent->Ending ? NULL : Parent->Job;

    while (Job && (Job->Limits & PSP_LIMIT_SILENT_BREAKAWAY))
        Job = Job->Parent;
    return Job ? PspJoin(Process, Job) : STATUS_SUCCESS;
}

/* docs: JOB_OBJECT_MSG_ABNORMAL_EXIT_PROCESS has the list. */
static BOOLEAN PspIsAbnormal(NTSTATUS Status)
{
    static const ULONG Abnormal[] = {0xC0000005, 0xC000008C, 0x80000003, 0xC000013A, 0x80000002, 0xC000008D,
                                     0xC000008E, 0xC000008F, 0xC0000090, 0xC0000091, 0xC0000092, 0xC0000093,
                                     0x80000001, 0xC000001D, 0xC0000006, 0xC0000094, 0xC0000095, 0xC0000026,
                                     0xC0000017, 0xC0000025, 0xC0000096, 0x80000004, 0xC00000FD};

    for (ULONG i = 0; i < RTL_NUMBER_OF(Abnormal); i++)
        if ((ULONG)Status == Abnormal[i])
            return TRUE;
    return FALSE;
}

/* It has ended; the process stays known to be of the job. */
VOID PspLeaveJob(PEPROCESS Process)
{
    if (!Process->Job || Process->LeftJob)
        return;
    Process->LeftJob = TRUE;
    for (PEJOB Of = Process->Job; Of; Of = Of->Parent) {
        Of->Active--;
        Of->Io.ReadOperationCount += Process->Io.ReadOperationCount;
        Of->Io.WriteOperationCount += Process->Io.WriteOperationCount;
        Of->Io.OtherOperationCount += Process->Io.OtherOperationCount;
        Of->Io.ReadTransferCount += Process->Io.ReadTransferCount;
        Of->Io.WriteTransferCount += Process->Io.WriteTransferCount;
        Of->Io.OtherTransferCount += Process->Io.OtherTransferCount;
        PspTellJob(Of, PspIsAbnormal(Process->ExitStatus) ? PspJobAbnormalExit : PspJobExit, Process->UniqueProcessId);
        if (!Of->Active)
            PspTellJob(Of, PspJobActiveZero, NULL);
    }
}

VOID PspForgetJob(PEPROCESS Process)
{
    PspLeaveJob(Process);
    if (Process->Job)
        ObfDereferenceObject(Process->Job);
}

/* ---- Memory ----------------------------------------------------------------------------------------------------------- */

UINT64 PspJobPages(PEJOB Job)
{
    UINT64 Pages = 0;

    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        if (Process->Space && !Process->LeftJob && PspIsInJob(Process, Job))
            Pages += Process->Space->Committed;
    }
    return Pages;
}

/* docs: JOB_OBJECT_LIMIT_PROCESS_MEMORY, JOB_OBJECT_LIMIT_JOB_MEMORY: commitment beyond it fails, and the port hears. */
BOOLEAN PspMayCommit(PEPROCESS Process, UINT64 Pages)
{
    for (PEJOB Job = Process->Job; Job && !Process->LeftJob; Job = Job->Parent) {
        UINT64 Own = Process->Space->Committed + Pages, All = PspJobPages(Job) + Pages;
        BOOLEAN OfProcess = (Job->Limits & PSP_LIMIT_PROCESS_MEMORY) && Own > Job->ProcessMemory / PAGE_SIZE;
        BOOLEAN OfJob = (Job->Limits & PSP_LIMIT_JOB_MEMORY) && All > Job->JobMemory / PAGE_SIZE;
        if (OfProcess || OfJob) {
            PspTellJob(Job, OfProcess ? PspJobProcessMemory : PspJobMemory, Process->UniqueProcessId);
            return FALSE;
        }
        Job->ProcessPeak = Own > Job->ProcessPeak ? Own : Job->ProcessPeak;
        Job->JobPeak = All > Job->JobPeak ? All : Job->JobPeak;
    }
    return TRUE;
}

/* ---- The object ------------------------------------------------------------------------------------------------------- */

static VOID PspTerminateJob(PEJOB Job, NTSTATUS Status)
{
    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        if (!Process->LeftJob && PspIsInJob(Process, Job))
            PspEndProcess(Process, Status);
    }
}

static VOID PspCloseJob(PVOID Body, ULONG RemainingHandles)
{
    PEJOB Job = Body;

    if (!RemainingHandles && (Job->Limits & PSP_LIMIT_KILL_ON_CLOSE))
        PspTerminateJob(Job, STATUS_SUCCESS);
}

static VOID PspDeleteJob(PVOID Body)
{
    PEJOB Job = Body;

    if (Job->Port)
        ObfDereferenceObject(Job->Port);
    if (Job->Parent)
        ObfDereferenceObject(Job->Parent);
}

VOID PspInitializeJobs(VOID)
{
    PspJobType = ObpCreateType(&(OB_TYPE_INIT){.Name = L"Job",
                                               .BodyBytes = sizeof(EJOB),
                                               .ValidAccess = 0x1f003f,
                                               .Waitable = TRUE,
                                               .Mapping = {0x20004, 0x2000b, 0x120000, 0x1f003f},
                                               .Close = PspCloseJob,
                                               .Delete = PspDeleteJob});
    PsJobType = (PVOID)PspJobType;
}

NTSTATUS PspReferenceJob(HANDLE Handle, ULONG Access, PEJOB *Job)
{
    return ObReferenceObjectByHandle(Handle, Access, PspJobType, ExGetPreviousMode(), (PVOID *)Job, NULL);
}

/* ---- Services --------------------------------------------------------------------------------------------------------- */

NTSTATUS NTAPI NtCreateJobObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    PVOID Body;
    NTSTATUS Status = ObpAllocateObject(PspJobType, 0, &Body);
    PEJOB Job = Body;

    if (!NT_SUCCESS(Status))
        return Status;
    KeInitializeEvent(&Job->Event, NotificationEvent, FALSE);
    Job->Session = PsGetCurrentProcessSessionId();
    return ObpInsertObject(Job, Attributes, Access, Handle);
}

NTSTATUS NTAPI NtOpenJobObject(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return ObpOpen(Attributes, PspJobType, Access, NULL, Handle);
}

/* A process that is in a job already goes to one below that, or one that nobody is in and that has no other above it. */
static NTSTATUS PspAssign(PEPROCESS Process, PEJOB Job)
{
    NTSTATUS Status;

    if (Process->Ending)
        return STATUS_PROCESS_IS_TERMINATING;
    if (Process->Job && PspIsInJob(Process, Job))
        return STATUS_ACCESS_DENIED;
    if (Process->Job && Job->Parent != Process->Job) {
        if (Job->Parent || Job->Total)
            return STATUS_ACCESS_DENIED;
        ObfReferenceObject(Process->Job);
        Job->Parent = Process->Job;
    }
    Status = PspJoin(Process, Job);
    if (Status == STATUS_QUOTA_EXCEEDED) { /* docs: ActiveProcessLimit: the process is terminated */
        Job->Terminated++;
        PspEndProcess(Process, STATUS_QUOTA_EXCEEDED);
    }
    return Status;
}

NTSTATUS NTAPI NtAssignProcessToJobObject(HANDLE JobHandle, HANDLE ProcessHandle)
{
    PEPROCESS Process;
    PEJOB Job;
    NTSTATUS Status = PspReferenceJob(JobHandle, PSP_JOB_ASSIGN, &Job);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObReferenceObjectByHandle(ProcessHandle, 0x101 /* PROCESS_SET_QUOTA, PROCESS_TERMINATE */, PspProcessType,
                                       ExGetPreviousMode(), (PVOID *)&Process, NULL);
    if (NT_SUCCESS(Status)) {
        Status = PspIsUser(Process) ? PspAssign(Process, Job) : STATUS_ACCESS_DENIED;
        ObfDereferenceObject(Process);
    }
    ObfDereferenceObject(Job);
    return Status;
}

NTSTATUS NTAPI NtTerminateJobObject(HANDLE Handle, NTSTATUS ExitStatus)
{
    PEJOB Job;
    NTSTATUS Status = PspReferenceJob(Handle, PSP_JOB_TERMINATE, &Job);

    if (!NT_SUCCESS(Status))
        return Status;
    PspTerminateJob(Job, ExitStatus);
    ObfDereferenceObject(Job);
    return STATUS_SUCCESS;
}

/* docs: IsProcessInJob: without a job: in any. */
NTSTATUS NTAPI NtIsProcessInJob(HANDLE ProcessHandle, HANDLE JobHandle)
{
    PEPROCESS Process;
    PEJOB Job = NULL;
    NTSTATUS Status = ObReferenceObjectByHandle(ProcessHandle, 0x1000 /* PROCESS_QUERY_LIMITED_INFORMATION */,
                                                PspProcessType, ExGetPreviousMode(), (PVOID *)&Process, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    if (JobHandle)
        Status = PspReferenceJob(JobHandle, PSP_JOB_QUERY, &Job);
    if (NT_SUCCESS(Status))
        Status =
            (Job ? PspIsInJob(Process, Job) : Process->Job != NULL) ? STATUS_PROCESS_IN_JOB : STATUS_PROCESS_NOT_IN_JOB;
    if (Job)
        ObfDereferenceObject(Job);
    ObfDereferenceObject(Process);
    return Status;
}

/* ---- For drivers, undocumented ---------------------------------------------------------------------------------------- */

PVOID NTAPI PsGetProcessJob(PEPROCESS Process)
{
    return Process->Job;
}

ULONG NTAPI PsGetJobSessionId(PEJOB Job)
{
    return Job->Session;
}

ULONG NTAPI PsGetJobUIRestrictionsClass(PEJOB Job)
{
    return Job->UiRestrictions;
}

VOID NTAPI PsSetJobUIRestrictionsClass(PEJOB Job, ULONG Restrictions)
{
    Job->UiRestrictions = Restrictions;
}
