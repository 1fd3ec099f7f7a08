/*
 * What can be asked of the system. (docs: NtQuerySystemInformation)
 *
 * Classes that are not here are STATUS_INVALID_INFO_CLASS.
 */
#include "nt.h"
#include "mm/space.h"

typedef struct _PSP_SYSTEM_BASIC {
    ULONG Reserved, TimerResolution, PageSize, NumberOfPhysicalPages, LowestPhysicalPageNumber,
        HighestPhysicalPageNumber, AllocationGranularity;
    ULONG_PTR MinimumUserModeAddress, MaximumUserModeAddress, ActiveProcessorsAffinityMask;
    CCHAR NumberOfProcessors;
} PSP_SYSTEM_BASIC;
C_ASSERT(sizeof(PSP_SYSTEM_BASIC) == 64);

typedef struct _PSP_TIME_OF_DAY {
    LARGE_INTEGER BootTime, CurrentTime, TimeZoneBias;
    ULONG TimeZoneId, Reserved;
    ULONGLONG BootTimeBias, SleepTimeBias;
} PSP_TIME_OF_DAY;
C_ASSERT(sizeof(PSP_TIME_OF_DAY) == 48);

typedef struct _PSP_SYSTEM_THREAD {
    LARGE_INTEGER KernelTime, UserTime, CreateTime;
    ULONG WaitTime;
    PVOID StartAddress;
    CLIENT_ID ClientId;
    LONG Priority, BasePriority;
    ULONG ContextSwitches, ThreadState, WaitReason;
} PSP_SYSTEM_THREAD;
C_ASSERT(sizeof(PSP_SYSTEM_THREAD) == 0x50);

typedef struct _PSP_SYSTEM_PROCESS {
    ULONG NextEntryOffset, NumberOfThreads;
    UCHAR Reserved1[0x18];
    LARGE_INTEGER CreateTime, UserTime, KernelTime;
    UNICODE_STRING ImageName;
    LONG BasePriority;
    HANDLE UniqueProcessId, InheritedFromUniqueProcessId;
    ULONG HandleCount, SessionId;
    UCHAR Reserved2[0x100 - 0x68];
} PSP_SYSTEM_PROCESS;
C_ASSERT(FIELD_OFFSET(PSP_SYSTEM_PROCESS, ImageName) == 0x38);
C_ASSERT(FIELD_OFFSET(PSP_SYSTEM_PROCESS, UniqueProcessId) == 0x50);
C_ASSERT(sizeof(PSP_SYSTEM_PROCESS) == 0x100);

static VOID PspDescribeThread(PSP_SYSTEM_THREAD *Entry, PETHREAD Thread)
{
    *Entry = (PSP_SYSTEM_THREAD){.KernelTime.QuadPart = (LONGLONG)Thread->Tcb.KernelTime,
                                 .CreateTime = Thread->CreateTime,
                                 .StartAddress = (PVOID)Thread->StartRoutine,
                                 .ClientId = Thread->Cid,
                                 .Priority = Thread->Tcb.Priority,
                                 .BasePriority = Thread->Tcb.BasePriority,
                                 .ThreadState = Thread->Tcb.State == KiWaiting ? 5 : Thread->Tcb.State,
                                 .WaitReason = Thread->Tcb.WaitReason};
}

/* One process with its threads and name; as far as there is room. Returns its size. */
static ULONG PspDescribeProcess(PUCHAR At, ULONG Room, PEPROCESS Process, BOOLEAN Last)
{
    PSP_SYSTEM_PROCESS *Entry = (PSP_SYSTEM_PROCESS *)At;
    PSP_SYSTEM_THREAD *Thread = (PSP_SYSTEM_THREAD *)(Entry + 1);
    ULONG Threads = Process->Pcb.ThreadCount, Length = (ULONG)strlen(Process->ImageFileName);
    ULONG Size = (ULONG)(sizeof(*Entry) + Threads * sizeof(*Thread) + (Length + 1) * sizeof(WCHAR) + 7) & ~7u;

    if (Size > Room)
        return Size;
    RtlZeroMemory(At, Size);
    Entry->NextEntryOffset = Last ? 0 : Size;
    Entry->NumberOfThreads = Threads;
    Entry->CreateTime = Process->CreateTime;
    Entry->KernelTime.QuadPart = (LONGLONG)Process->Pcb.KernelTime;
    Entry->BasePriority = Process->Pcb.BasePriority;
    Entry->UniqueProcessId = Process->UniqueProcessId;
    Entry->InheritedFromUniqueProcessId = Process->InheritedFromUniqueProcessId;
    Entry->HandleCount = Process->ObjectTable ? Process->ObjectTable->Count : 0;
    for (PLIST_ENTRY List = Process->Pcb.ThreadListHead.Flink; List != &Process->Pcb.ThreadListHead; List = List->Flink)
        PspDescribeThread(Thread++, (PETHREAD)CONTAINING_RECORD(List, struct _KTHREAD, ThreadListEntry));
    Entry->ImageName.Buffer = (PWSTR)Thread;
    Entry->ImageName.Length = (USHORT)(Length * sizeof(WCHAR));
    Entry->ImageName.MaximumLength = Entry->ImageName.Length + sizeof(WCHAR);
    RtlpFromUtf8(Entry->ImageName.Buffer, Length + 1, Process->ImageFileName);
    return Size;
}

static NTSTATUS PspQueryProcesses(PUCHAR Buffer, ULONG Bytes, PULONG Returned)
{
    ULONG Need = 0;

    for (PLIST_ENTRY Entry = PspProcesses.Flink; Entry != &PspProcesses; Entry = Entry->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(Entry, EPROCESS, ActiveProcessLinks);
        Need +=
            PspDescribeProcess(Buffer + Need, Need < Bytes ? Bytes - Need : 0, Process, Entry->Flink == &PspProcesses);
    }
    if (Returned)
        *Returned = Need;
    return Need > Bytes ? STATUS_INFO_LENGTH_MISMATCH : STATUS_SUCCESS;
}

typedef struct _PSP_PROCESSOR {
    USHORT Architecture, Level, Revision, MaximumProcessors;
    ULONG FeatureBits;
} PSP_PROCESSOR;
C_ASSERT(sizeof(PSP_PROCESSOR) == 12);

/* SystemHandleInformation and SystemExtendedHandleInformation: one entry a handle, in the order of processes and values. */
typedef struct _PSP_HANDLE {
    USHORT UniqueProcessId, CreatorBackTraceIndex;
    UCHAR ObjectTypeIndex, HandleAttributes;
    USHORT HandleValue;
    PVOID Object;
    ULONG GrantedAccess;
} PSP_HANDLE;
C_ASSERT(sizeof(PSP_HANDLE) == 24);

typedef struct _PSP_HANDLE_EX {
    PVOID Object;
    ULONG_PTR UniqueProcessId, HandleValue;
    ULONG GrantedAccess;
    USHORT CreatorBackTraceIndex, ObjectTypeIndex;
    ULONG HandleAttributes, Reserved;
} PSP_HANDLE_EX;
C_ASSERT(sizeof(PSP_HANDLE_EX) == 40);

static VOID PspDescribeHandle(PVOID At, PEPROCESS Process, ULONG Index, POBP_ENTRY Entry, BOOLEAN Extended)
{
    USHORT Type = (USHORT)ObpTypeOf(Entry->Object)->Index;

    if (Extended)
        *(PSP_HANDLE_EX *)At = (PSP_HANDLE_EX){.Object = Entry->Object,
                                               .UniqueProcessId = (ULONG_PTR)Process->UniqueProcessId,
                                               .HandleValue = (ULONG_PTR)Index * 4,
                                               .GrantedAccess = Entry->Access,
                                               .ObjectTypeIndex = Type,
                                               .HandleAttributes = Entry->Attributes};
    else
        *(PSP_HANDLE *)At = (PSP_HANDLE){.Object = Entry->Object,
                                         .UniqueProcessId = (USHORT)(ULONG_PTR)Process->UniqueProcessId,
                                         .HandleValue = (USHORT)(Index * 4),
                                         .GrantedAccess = Entry->Access,
                                         .ObjectTypeIndex = (UCHAR)Type,
                                         .HandleAttributes = (UCHAR)Entry->Attributes};
}

static NTSTATUS PspQueryHandles(PUCHAR Buffer, ULONG Bytes, PULONG Returned, BOOLEAN Extended)
{
    ULONG Head = Extended ? 16 : 8, Size = Extended ? sizeof(PSP_HANDLE_EX) : sizeof(PSP_HANDLE), Count = 0;

    for (PLIST_ENTRY List = PspProcesses.Flink; List != &PspProcesses; List = List->Flink) {
        PEPROCESS Process = CONTAINING_RECORD(List, EPROCESS, ActiveProcessLinks);
        POBP_TABLE Table = ObpTableOf(Process);
        for (ULONG i = 1; i < Table->Chunks * OBP_TABLE_CHUNK; i++) {
            POBP_ENTRY Entry = ObpTableEntry(Table, i);
            if (!Entry)
                continue;
            if (Head + (Count + 1) * Size <= Bytes)
                PspDescribeHandle(Buffer + Head + Count * Size, Process, i, Entry, Extended);
            Count++;
        }
    }
    if (Returned)
        *Returned = Head + Count * Size;
    if (Head + Count * Size > Bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Extended)
        *(PULONG_PTR)Buffer = Count;
    else
        *(PULONG)Buffer = Count;
    return STATUS_SUCCESS;
}

/* SystemProcessIdInformation: the image of a process by its id. */
typedef struct _PSP_PROCESS_NAME {
    HANDLE ProcessId;
    UNICODE_STRING ImageName;
} PSP_PROCESS_NAME;

static NTSTATUS PspQueryProcessName(PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_PROCESS_NAME *Name = Buffer;
    PEPROCESS Process;
    NTSTATUS Status = STATUS_SUCCESS;

    if (Returned)
        *Returned = sizeof(*Name);
    if (Bytes != sizeof(*Name))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Name->ImageName.Length)
        return STATUS_INVALID_PARAMETER;
    if (!NT_SUCCESS(PsLookupProcessByProcessId(Name->ProcessId, &Process)))
        return STATUS_INVALID_CID;
    if (Name->ImageName.MaximumLength < Process->ImagePath.Length + sizeof(WCHAR)) {
        Name->ImageName.MaximumLength = Process->ImagePath.Length + sizeof(WCHAR);
        Status = STATUS_INFO_LENGTH_MISMATCH;
    } else {
        RtlCopyUnicodeString(&Name->ImageName, &Process->ImagePath);
        Name->ImageName.Buffer[Name->ImageName.Length / sizeof(WCHAR)] = 0;
    }
    ObfDereferenceObject(Process);
    return Status;
}

/* SystemBootEnvironmentInformation */
typedef struct _PSP_BOOT {
    GUID Identifier;
    FIRMWARE_TYPE FirmwareType;
    ULONGLONG Flags;
} PSP_BOOT;
C_ASSERT(sizeof(PSP_BOOT) == 32);

NTSTATUS NTAPI NtQuerySystemInformation(ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_SYSTEM_BASIC Basic = {.TimerResolution = KI_TICK,
                              .PageSize = PAGE_SIZE,
                              .NumberOfPhysicalPages = (ULONG)MiPageCount,
                              .LowestPhysicalPageNumber = 1,
                              .HighestPhysicalPageNumber = (ULONG)MiPageCount - 1,
                              .AllocationGranularity = MI_GRANULARITY,
                              .MinimumUserModeAddress = DOOR_USER_BASE,
                              .MaximumUserModeAddress = DOOR_USER_END - 1,
                              .ActiveProcessorsAffinityMask = KeQueryActiveProcessors(),
                              .NumberOfProcessors = (CCHAR)KiDoor->processors};
    PSP_TIME_OF_DAY Time = {.BootTime.QuadPart = (LONGLONG)KiDoor->boot_time, .CurrentTime.QuadPart = KiSystemTime()};
    UCHAR Debugger[2] = {FALSE, TRUE}; /* not enabled, not present */
    PSP_PROCESSOR Processor = {.Architecture = 9, .MaximumProcessors = (USHORT)KiDoor->processors};
    PSP_BOOT Boot = {.Identifier = {0x69727161, 0x6c61, 0x6200, {1}}, .FirmwareType = ExGetFirmwareType()};
    BOOLEAN Secure[2] = {FALSE, FALSE};          /* a BIOS knows no Secure Boot: neither on nor to be had */
    ULONG Integrity[2] = {sizeof(Integrity), 3}; /* CODEINTEGRITY_OPTION_ENABLED and TESTSIGN: any driver is loaded */

    switch (Class) {
    case 0:
        return PspGive(Buffer, Bytes, Returned, &Basic, sizeof(Basic));
    case 1:
        return PspGive(Buffer, Bytes, Returned, &Processor, sizeof(Processor));
    case 3:
        return PspGive(Buffer, Bytes, Returned, &Time, sizeof(Time));
    case 5:
        return PspQueryProcesses(Buffer, Bytes, Returned);
    case 11:
        return PspQueryModules(Buffer, Bytes, Returned);
    case 16:
        return PspQueryHandles(Buffer, Bytes, Returned, FALSE);
    case 35:
        return PspGive(Buffer, Bytes, Returned, Debugger, sizeof(Debugger));
    case 64:
        return PspQueryHandles(Buffer, Bytes, Returned, TRUE);
    case 76:
        return ExpQueryFirmwareTable(Buffer, Bytes, Returned);
    case 77:
        return PspQueryModulesEx(Buffer, Bytes, Returned);
    case 88:
        return PspQueryProcessName(Buffer, Bytes, Returned);
    case 90:
        return PspGive(Buffer, Bytes, Returned, &Boot, sizeof(Boot));
    case 103:
        return PspGive(Buffer, Bytes, Returned, Integrity, sizeof(Integrity));
    case 145:
        return PspGive(Buffer, Bytes, Returned, Secure, sizeof(Secure));
    default:
        return STATUS_INVALID_INFO_CLASS;
    }
}
