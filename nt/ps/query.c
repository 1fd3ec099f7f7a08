/*
 * Processes and threads opened by id, and what can be asked of them. (docs: ZwOpenProcess, ZwQueryInformationProcess,
 * NtQueryInformationThread, ZwSetInformationThread)
 *
 * Classes that are not here are STATUS_INVALID_INFO_CLASS.
 */
#include "nt.h"
#include "mm/space.h"

/* An answer of fixed size. */
NTSTATUS PspGive(PVOID Buffer, ULONG Bytes, PULONG Returned, const VOID *Answer, ULONG Size)
{
    if (Returned)
        *Returned = Size;
    if (Bytes != Size)
        return STATUS_INFO_LENGTH_MISMATCH;
    RtlCopyMemory(Buffer, Answer, Size);
    return STATUS_SUCCESS;
}

/* A string: the header, then the text. */
static NTSTATUS PspGiveString(PVOID Buffer, ULONG Bytes, PULONG Returned, PCUNICODE_STRING Text)
{
    PUNICODE_STRING Header = Buffer;
    ULONG Need = sizeof(*Header) + Text->Length + sizeof(WCHAR);

    if (Returned)
        *Returned = Need;
    if (Bytes < Need)
        return STATUS_INFO_LENGTH_MISMATCH;
    Header->Length = Text->Length;
    Header->MaximumLength = Text->Length + sizeof(WCHAR);
    Header->Buffer = (PWSTR)(Header + 1);
    RtlCopyMemory(Header->Buffer, Text->Buffer, Text->Length);
    Header->Buffer[Text->Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

/* ---- Opening -------------------------------------------------------------------------------------------------------- */

/* docs: ZwOpenProcess: by id, never by name; a thread's id may stand beside it. */
NTSTATUS NTAPI NtOpenProcess(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, PCLIENT_ID ClientId)
{
    PEPROCESS Process = NULL;
    PETHREAD Thread;
    NTSTATUS Status;

    if (!Attributes || Attributes->ObjectName || !ClientId)
        return STATUS_INVALID_PARAMETER_MIX;
    if (ClientId->UniqueThread) {
        Status = PsLookupThreadByThreadId(ClientId->UniqueThread, &Thread);
        if (!NT_SUCCESS(Status))
            return STATUS_INVALID_CID;
        if (Thread->Cid.UniqueProcess == ClientId->UniqueProcess)
            Status = PsLookupProcessByProcessId(ClientId->UniqueProcess, &Process);
        else
            Status = STATUS_INVALID_CID;
        ObfDereferenceObject(Thread);
    } else {
        Status = PsLookupProcessByProcessId(ClientId->UniqueProcess, &Process);
    }
    if (!NT_SUCCESS(Status))
        return STATUS_INVALID_CID;
    Status = ObOpenObjectByPointer(Process, Attributes->Attributes, NULL, Access, PspProcessType, ExGetPreviousMode(),
                                   Handle);
    ObfDereferenceObject(Process);
    return Status;
}

NTSTATUS NTAPI NtOpenThread(PHANDLE Handle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes, PCLIENT_ID ClientId)
{
    PETHREAD Thread;
    NTSTATUS Status;

    if (!Attributes || Attributes->ObjectName || !ClientId)
        return STATUS_INVALID_PARAMETER_MIX;
    if (!NT_SUCCESS(PsLookupThreadByThreadId(ClientId->UniqueThread, &Thread)))
        return STATUS_INVALID_CID;
    if (ClientId->UniqueProcess && Thread->Cid.UniqueProcess != ClientId->UniqueProcess)
        Status = STATUS_INVALID_CID;
    else
        Status = ObOpenObjectByPointer(Thread, Attributes->Attributes, NULL, Access, PspThreadType, ExGetPreviousMode(),
                                       Handle);
    ObfDereferenceObject(Thread);
    return Status;
}

/* ---- Processes ------------------------------------------------------------------------------------------------------ */

typedef struct _PSP_BASIC {
    NTSTATUS ExitStatus;
    PVOID Peb;
    ULONG_PTR Affinity;
    LONG BasePriority;
    HANDLE UniqueProcessId, InheritedFromUniqueProcessId;
} PSP_BASIC;
C_ASSERT(sizeof(PSP_BASIC) == 48);

typedef struct _PSP_TIMES {
    LARGE_INTEGER CreateTime, ExitTime, KernelTime, UserTime;
} PSP_TIMES;

enum {
    PspBasic = 0,
    PspQuotaLimits = 1,
    PspIoCounters = 2,
    PspVmCounters = 3,
    PspTimes = 4,
    PspBasePriority = 5,
    PspDebugPort = 7,
    PspWow64 = 26,
    PspImageName = 27,
    PspHandleCount = 20,
    PspSession = 24,
    PspImageNameWin32 = 43,
    PspCommandLine = 60,
    PspSubsystem = 75,
};

static NTSTATUS PspQueryProcess(PEPROCESS Process, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_BASIC Basic = {Process->ExitStatus,
                       Process->Peb,
                       (1ull << KiDoor->processors) - 1,
                       Process->Pcb.BasePriority,
                       Process->UniqueProcessId,
                       Process->InheritedFromUniqueProcessId};
    PSP_TIMES Times = {.CreateTime = Process->CreateTime,
                       .ExitTime = Process->ExitTime,
                       .KernelTime.QuadPart = (LONGLONG)Process->Pcb.KernelTime};
    /* docs: QUOTA_LIMITS, VM_COUNTERS: what quota.c counts, and its limit; nothing is paged. */
    QUOTA_LIMITS Limits = {.PagedPoolLimit = KiDoor->ram_bytes,
                           .NonPagedPoolLimit = KiDoor->ram_bytes,
                           .MaximumWorkingSetSize = KiDoor->ram_bytes,
                           .TimeLimit.QuadPart = -1};
    VM_COUNTERS Counters = {.QuotaPeakPagedPoolUsage = Process->QuotaPeak[PagedPool],
                            .QuotaPagedPoolUsage = Process->Quota[PagedPool],
                            .QuotaPeakNonPagedPoolUsage = Process->QuotaPeak[NonPagedPool],
                            .QuotaNonPagedPoolUsage = Process->Quota[NonPagedPool]};
    UNICODE_STRING Win32 = Process->OpenPath;
    ULONG_PTR Word;
    ULONG Half;

    switch (Class) {
    case PspBasic:
        return PspGive(Buffer, Bytes, Returned, &Basic, sizeof(Basic));
    case PspQuotaLimits:
        return PspGive(Buffer, Bytes, Returned, &Limits, sizeof(Limits));
    case PspVmCounters:
        return PspGive(Buffer, Bytes, Returned, &Counters, sizeof(Counters));
    case PspTimes:
        return PspGive(Buffer, Bytes, Returned, &Times, sizeof(Times));
    case PspIoCounters:
        return PspGive(Buffer, Bytes, Returned, &Process->Io, sizeof(Process->Io));
    case PspSubsystem:
        Half = SubsystemInformationTypeWin32;
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    case PspDebugPort:
        Word = Process->DebugPort ? (ULONG_PTR)-1 : 0;
        return PspGive(Buffer, Bytes, Returned, &Word, sizeof(Word));
    case PspWow64:
        Word = (ULONG_PTR)Process->Wow64Process;
        return PspGive(Buffer, Bytes, Returned, &Word, sizeof(Word));
    case PspHandleCount:
        Half = Process->ObjectTable ? Process->ObjectTable->Count : 0;
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    case PspSession:
        Half = 0;
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    case PspImageName:
        return PspGiveString(Buffer, Bytes, Returned, &Process->ImagePath);
    case PspImageNameWin32:
        if (Win32.Length > 4 * sizeof(WCHAR)) { /* without "\??\" */
            Win32.Buffer += 4;
            Win32.Length -= 4 * sizeof(WCHAR);
        }
        return PspGiveString(Buffer, Bytes, Returned, &Win32);
    case PspCommandLine:
        return PspGiveString(Buffer, Bytes, Returned, &Process->CommandLine);
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS NTAPI NtQueryInformationProcess(HANDLE Handle, PROCESSINFOCLASS Class, PVOID Buffer, ULONG Bytes,
                                         PULONG Returned)
{
    PEPROCESS Process;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0x400 /* PROCESS_QUERY_INFORMATION */, PspProcessType,
                                                ExGetPreviousMode(), (PVOID *)&Process, NULL);

    if (Status == STATUS_ACCESS_DENIED) /* docs: the limited right suffices for what is asked most */
        Status =
            ObReferenceObjectByHandle(Handle, 0x1000, PspProcessType, ExGetPreviousMode(), (PVOID *)&Process, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = PspQueryProcess(Process, (ULONG)Class, Buffer, Bytes, Returned);
    ObfDereferenceObject(Process);
    return Status;
}

NTSTATUS NTAPI NtSetInformationProcess(HANDLE Handle, PROCESSINFOCLASS Class, PVOID Buffer, ULONG Bytes)
{
    PEPROCESS Process;
    NTSTATUS Status;

    if ((ULONG)Class != PspBasePriority)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes != sizeof(LONG))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (*(PLONG)Buffer < 1 || *(PLONG)Buffer > HIGH_PRIORITY)
        return STATUS_INVALID_PARAMETER;
    Status = ObReferenceObjectByHandle(Handle, 0x200 /* PROCESS_SET_INFORMATION */, PspProcessType, ExGetPreviousMode(),
                                       (PVOID *)&Process, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Process->Pcb.BasePriority = (SCHAR) * (PLONG)Buffer;
    for (PLIST_ENTRY Entry = Process->Pcb.ThreadListHead.Flink; Entry != &Process->Pcb.ThreadListHead;
         Entry = Entry->Flink)
        KeSetPriorityThread(CONTAINING_RECORD(Entry, struct _KTHREAD, ThreadListEntry), *(PLONG)Buffer);
    ObfDereferenceObject(Process);
    return STATUS_SUCCESS;
}

/* ---- Threads -------------------------------------------------------------------------------------------------------- */

typedef struct _PSP_THREAD_BASIC {
    NTSTATUS ExitStatus;
    PVOID Teb;
    CLIENT_ID ClientId;
    ULONG_PTR Affinity;
    LONG Priority, BasePriority;
} PSP_THREAD_BASIC;
C_ASSERT(sizeof(PSP_THREAD_BASIC) == 48);

enum {
    PspThreadBasic = 0,
    PspThreadTimes = 1,
    PspThreadPriority = 2,
    PspThreadBasePriority = 3,
    PspThreadAffinity = 4,
    PspThreadIsLast = 12,
    PspThreadIsIoPending = 16,
    PspThreadIsTerminated = 20,
    PspThreadSubsystem = 45,
};

static NTSTATUS PspQueryThread(PETHREAD Thread, ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_THREAD_BASIC Basic = {Thread->ExitStatus,   Thread->Tcb.Teb,      Thread->Cid,
                              Thread->Tcb.Affinity, Thread->Tcb.Priority, Thread->Tcb.BasePriority};
    PSP_TIMES Times = {.CreateTime = Thread->CreateTime,
                       .ExitTime = Thread->ExitTime,
                       .KernelTime.QuadPart = (LONGLONG)Thread->Tcb.KernelTime};
    ULONG Half;

    switch (Class) {
    case PspThreadBasic:
        return PspGive(Buffer, Bytes, Returned, &Basic, sizeof(Basic));
    case PspThreadTimes:
        return PspGive(Buffer, Bytes, Returned, &Times, sizeof(Times));
    case PspThreadSubsystem:
        Half = SubsystemInformationTypeWin32;
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    case PspThreadIsLast:
        Half = ((PEPROCESS)Thread->Tcb.Process)->LiveThreads == 1;
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    case PspThreadIsIoPending:
        Half = !IsListEmpty(&Thread->IrpList);
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    case PspThreadIsTerminated:
        Half = Thread->Terminating;
        return PspGive(Buffer, Bytes, Returned, &Half, sizeof(Half));
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS NTAPI NtQueryInformationThread(HANDLE Handle, THREADINFOCLASS Class, PVOID Buffer, ULONG Bytes,
                                        PULONG Returned)
{
    PETHREAD Thread;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0x40 /* THREAD_QUERY_INFORMATION */, PspThreadType,
                                                ExGetPreviousMode(), (PVOID *)&Thread, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = PspQueryThread(Thread, (ULONG)Class, Buffer, Bytes, Returned);
    ObfDereferenceObject(Thread);
    return Status;
}

static NTSTATUS PspSetThread(PETHREAD Thread, ULONG Class, PVOID Buffer, ULONG Bytes)
{
    switch (Class) {
    case PspThreadPriority:
        if (Bytes != sizeof(LONG))
            return STATUS_INFO_LENGTH_MISMATCH;
        if (*(PLONG)Buffer < 1 || *(PLONG)Buffer > HIGH_PRIORITY)
            return STATUS_INVALID_PARAMETER;
        KeSetPriorityThread(&Thread->Tcb, *(PLONG)Buffer);
        return STATUS_SUCCESS;
    case PspThreadBasePriority:
        if (Bytes != sizeof(LONG))
            return STATUS_INFO_LENGTH_MISMATCH;
        KeSetBasePriorityThread(&Thread->Tcb, *(PLONG)Buffer);
        return STATUS_SUCCESS;
    case PspThreadAffinity:
        if (Bytes != sizeof(KAFFINITY))
            return STATUS_INFO_LENGTH_MISMATCH;
        if (!(*(KAFFINITY *)Buffer & KeQueryActiveProcessors()))
            return STATUS_INVALID_PARAMETER;
        KeSetAffinityThread(&Thread->Tcb, *(KAFFINITY *)Buffer & KeQueryActiveProcessors());
        return STATUS_SUCCESS;
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}

NTSTATUS NTAPI NtSetInformationThread(HANDLE Handle, THREADINFOCLASS Class, PVOID Buffer, ULONG Bytes)
{
    PETHREAD Thread;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0x20 /* THREAD_SET_INFORMATION */, PspThreadType,
                                                ExGetPreviousMode(), (PVOID *)&Thread, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = PspSetThread(Thread, (ULONG)Class, Buffer, Bytes);
    ObfDereferenceObject(Thread);
    return Status;
}
