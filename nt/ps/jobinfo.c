/*
 * What is asked of a job and set in it. (docs: QueryInformationJobObject, SetInformationJobObject and the structures named
 * there)
 */
#include "nt.h"
#include "ps/job.h"

enum {
    PspJobAccounting = 1,
    PspJobLimits = 2,
    PspJobProcesses = 3,
    PspJobUi = 4,
    PspJobPort = 7,
    PspJobAccountingIo = 8,
    PspJobExtended = 9,
};

typedef struct _PSP_JOB_ACCOUNTING {
    LARGE_INTEGER UserTime, KernelTime, PeriodUserTime, PeriodKernelTime;
    ULONG PageFaults, Total, Active, Terminated;
} PSP_JOB_ACCOUNTING;
C_ASSERT(sizeof(PSP_JOB_ACCOUNTING) == 48);

typedef struct _PSP_JOB_ACCOUNTING_IO {
    PSP_JOB_ACCOUNTING Basic;
    IO_COUNTERS Io;
} PSP_JOB_ACCOUNTING_IO;
C_ASSERT(sizeof(PSP_JOB_ACCOUNTING_IO) == 96);

typedef struct _PSP_JOB_LIMITS {
    LARGE_INTEGER ProcessTime, JobTime;
    ULONG Flags;
    SIZE_T LeastWorkingSet, MostWorkingSet;
    ULONG ActiveLimit;
    ULONG_PTR Affinity;
    ULONG PriorityClass, SchedulingClass;
} PSP_JOB_LIMITS;
C_ASSERT(sizeof(PSP_JOB_LIMITS) == 64);

typedef struct _PSP_JOB_EXTENDED {
    PSP_JOB_LIMITS Basic;
    IO_COUNTERS Io; /* reserved */
    SIZE_T ProcessMemory, JobMemory, ProcessPeak, JobPeak;
} PSP_JOB_EXTENDED;
C_ASSERT(sizeof(PSP_JOB_EXTENDED) == 144);

typedef struct _PSP_JOB_LIST {
    ULONG Assigned, Listed;
    ULONG_PTR Id[];
} PSP_JOB_LIST;

typedef struct _PSP_JOB_ASSOCIATION {
    PVOID Key;
    HANDLE Port;
} PSP_JOB_ASSOCIATION;

#define PSP_BASIC_LIMITS 0xffu
#define PSP_ALL_LIMITS 0x7fffu
#define PSP_KEPT_LIMITS                                                                                                \
    (PSP_LIMIT_PROCESS_TIME | PSP_LIMIT_JOB_TIME | PSP_LIMIT_ACTIVE | PSP_LIMIT_PRESERVE_TIME |                        \
     PSP_LIMIT_PROCESS_MEMORY | PSP_LIMIT_JOB_MEMORY | PSP_LIMIT_NO_BOX | PSP_LIMIT_BREAKAWAY |                        \
     PSP_LIMIT_SILENT_BREAKAWAY | PSP_LIMIT_KILL_ON_CLOSE)

/* ---- Asking ----------------------------------------------------------------------------------------------------------- */

/* Of those that have ended, and those that have not. */
static IO_COUNTERS PspJobIo(PEJOB Job)
{
    IO_COUNTERS Io = Job->Io;

    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        if (Process->LeftJob || !PspIsInJob(Process, Job))
            continue;
        Io.ReadOperationCount += Process->Io.ReadOperationCount;
        Io.WriteOperationCount += Process->Io.WriteOperationCount;
        Io.OtherOperationCount += Process->Io.OtherOperationCount;
        Io.ReadTransferCount += Process->Io.ReadTransferCount;
        Io.WriteTransferCount += Process->Io.WriteTransferCount;
        Io.OtherTransferCount += Process->Io.OtherTransferCount;
    }
    return Io;
}

/* docs: JOBOBJECT_BASIC_PROCESS_ID_LIST: as many as there is room for. */
static NTSTATUS PspListJob(PEJOB Job, PSP_JOB_LIST *List, ULONG Bytes, PULONG Returned)
{
    ULONG Room = Bytes < sizeof(*List) ? 0 : (Bytes - sizeof(*List)) / sizeof(ULONG_PTR);

    if (Bytes < sizeof(*List) + sizeof(ULONG_PTR))
        return STATUS_INFO_LENGTH_MISMATCH;
    List->Assigned = Job->Active;
    List->Listed = 0;
    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        if (!Process->LeftJob && PspIsInJob(Process, Job) && List->Listed < Room)
            List->Id[List->Listed++] = (ULONG_PTR)Process->UniqueProcessId;
    }
    if (Returned)
        *Returned = (ULONG)(sizeof(*List) + List->Listed * sizeof(ULONG_PTR));
    return List->Listed < List->Assigned ? STATUS_BUFFER_OVERFLOW : STATUS_SUCCESS;
}

static NTSTATUS PspQueryJob(PEJOB Job, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_JOB_ACCOUNTING_IO Accounting = {
        .Basic = {.Total = Job->Total, .Active = Job->Active, .Terminated = Job->Terminated}, .Io = PspJobIo(Job)};
    PSP_JOB_EXTENDED Limits = {.Basic = {.ProcessTime.QuadPart = Job->ProcessTime,
                                         .JobTime.QuadPart = Job->JobTime,
                                         .Flags = Job->Limits,
                                         .ActiveLimit = Job->ActiveLimit},
                               .ProcessMemory = Job->ProcessMemory,
                               .JobMemory = Job->JobMemory,
                               .ProcessPeak = Job->ProcessPeak * PAGE_SIZE,
                               .JobPeak = Job->JobPeak * PAGE_SIZE};

    switch (Class) {
    case PspJobAccounting:
        return PspGive(Buffer, Bytes, Returned, &Accounting.Basic, sizeof(Accounting.Basic));
    case PspJobAccountingIo:
        return PspGive(Buffer, Bytes, Returned, &Accounting, sizeof(Accounting));
    case PspJobLimits:
        Limits.Basic.Flags &= PSP_BASIC_LIMITS;
        return PspGive(Buffer, Bytes, Returned, &Limits.Basic, sizeof(Limits.Basic));
    case PspJobExtended:
        return PspGive(Buffer, Bytes, Returned, &Limits, sizeof(Limits));
    case PspJobUi:
        return PspGive(Buffer, Bytes, Returned, &Job->UiRestrictions, sizeof(Job->UiRestrictions));
    case PspJobProcesses:
        return PspListJob(Job, Buffer, Bytes, Returned);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

/* docs: QueryInformationJobObject: without a handle, the job of the caller. */
NTSTATUS NTAPI NtQueryInformationJobObject(HANDLE Handle, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PEJOB Job = PspCurrentProcess()->Job;
    NTSTATUS Status = STATUS_ACCESS_DENIED;

    if (Handle)
        Status = PspReferenceJob(Handle, PSP_JOB_QUERY, &Job);
    else if (Job)
        Status = (ObfReferenceObject(Job), STATUS_SUCCESS);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = PspQueryJob(Job, Class, Buffer, Bytes, Returned);
    ObfDereferenceObject(Job);
    return Status;
}

/* ---- Setting ---------------------------------------------------------------------------------------------------------- */

static NTSTATUS PspSetLimits(PEJOB Job, const PSP_JOB_LIMITS *Basic, const PSP_JOB_EXTENDED *Extended)
{
    ULONG Flags = Basic->Flags, Known = Extended ? PSP_ALL_LIMITS : PSP_BASIC_LIMITS;

    if ((Flags & ~Known) || ((Flags & PSP_LIMIT_JOB_TIME) && (Flags & PSP_LIMIT_PRESERVE_TIME)) ||
        ((Flags & PSP_LIMIT_ACTIVE) && !Basic->ActiveLimit) ||
        ((Flags & PSP_LIMIT_PROCESS_MEMORY) && Extended->ProcessMemory < PAGE_SIZE) ||
        ((Flags & PSP_LIMIT_JOB_MEMORY) && Extended->JobMemory < PAGE_SIZE))
        return STATUS_INVALID_PARAMETER;
    if (Flags & ~PSP_KEPT_LIMITS)
        return STATUS_NOT_SUPPORTED;
    if (!Extended)
        Flags |= Job->Limits & ~PSP_BASIC_LIMITS;
    if (Flags & PSP_LIMIT_PRESERVE_TIME)
        Flags = (Flags & ~PSP_LIMIT_PRESERVE_TIME) | (Job->Limits & PSP_LIMIT_JOB_TIME);
    Job->Limits = Flags;
    Job->ActiveLimit = Flags & PSP_LIMIT_ACTIVE ? Basic->ActiveLimit : 0;
    if (Basic->Flags & PSP_LIMIT_PROCESS_TIME)
        Job->ProcessTime = Basic->ProcessTime.QuadPart;
    if (Basic->Flags & PSP_LIMIT_JOB_TIME)
        Job->JobTime = Basic->JobTime.QuadPart;
    if (Extended) {
        Job->ProcessMemory = Flags & PSP_LIMIT_PROCESS_MEMORY ? Extended->ProcessMemory : 0;
        Job->JobMemory = Flags & PSP_LIMIT_JOB_MEMORY ? Extended->JobMemory : 0;
    }
    return STATUS_SUCCESS;
}

static NTSTATUS PspSetPort(PEJOB Job, const PSP_JOB_ASSOCIATION *Association)
{
    PVOID Port;
    NTSTATUS Status;

    if (Job->Port || !Association->Port) /* once */
        return STATUS_INVALID_PARAMETER;
    Status = IopReferencePort(Association->Port, ExGetPreviousMode(), &Port);
    if (!NT_SUCCESS(Status))
        return Status;
    Job->Port = Port;
    Job->Key = Association->Key;
    return STATUS_SUCCESS;
}

static NTSTATUS PspSetJob(PEJOB Job, ULONG Class, const VOID *Buffer, ULONG Bytes)
{
    static const struct {
        ULONG Class, Bytes;
    } Known[] = {{PspJobLimits, sizeof(PSP_JOB_LIMITS)},
                 {PspJobExtended, sizeof(PSP_JOB_EXTENDED)},
                 {PspJobUi, sizeof(ULONG)},
                 {PspJobPort, sizeof(PSP_JOB_ASSOCIATION)}};
    ULONG i = 0;

    while (i < RTL_NUMBER_OF(Known) && Known[i].Class != Class)
        i++;
    if (i == RTL_NUMBER_OF(Known))
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes != Known[i].Bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    switch (Class) {
    case PspJobLimits:
        return PspSetLimits(Job, Buffer, NULL);
    case PspJobExtended:
        return PspSetLimits(Job, Buffer, Buffer);
    case PspJobPort:
        return PspSetPort(Job, Buffer);
    default:
        if (*(const ULONG *)Buffer & ~0xffu)
            return STATUS_INVALID_PARAMETER;
        Job->UiRestrictions = *(const ULONG *)Buffer;
        return STATUS_SUCCESS;
    }
}

NTSTATUS NTAPI NtSetInformationJobObject(HANDLE Handle, ULONG Class, PVOID Buffer, ULONG Bytes)
{
    PEJOB Job;
    NTSTATUS Status = PspReferenceJob(Handle, PSP_JOB_SET, &Job);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = PspSetJob(Job, Class, Buffer, Bytes);
    ObfDereferenceObject(Job);
    return Status;
}
