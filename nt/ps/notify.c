/*
 * Notification routines of processes, threads and image loads; and the list of loaded modules.
 *
 * Each kind has a fixed number of places as on Windows (64). A registered routine is tracked, so an image that goes
 * away while one of its routines is registered is a finding. Thread routines run in the creating thread, or in the new
 * one if they ask for that, and in the ending one (docs: PsSetCreateThreadNotifyRoutine, PsSetCreateThreadNotifyRoutineEx); process routines in the creator, in the context of its process,
 * and in the last thread of a process that ends; all at PASSIVE_LEVEL.
 */
#include "nt.h"

#define PSP_NOTIFY_ROUTINES 64

typedef enum {
    PspThreadNotify,
    PspNewThreadNotify,
    PspProcessNotify,
    PspProcessNotifyEx,
    PspImageNotify,
    PspNotifyKinds
} PSP_NOTIFY_KIND;

typedef struct _PSP_NOTIFY {
    BOOLEAN Used;
    PVOID Routine; /* NULL is taken, as on Windows; who calls it is stopped */
    ULONG Stack;
} PSP_NOTIFY;

static PSP_NOTIFY PspNotify[PspNotifyKinds][PSP_NOTIFY_ROUTINES];
static ULONG PspNotifyCount[PspNotifyKinds];
LIST_ENTRY PsLoadedModuleList = {&PsLoadedModuleList, &PsLoadedModuleList}; /* exported: the list head itself */

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static PSP_NOTIFY *PspFindNotify(PSP_NOTIFY_KIND Kind, BOOLEAN Used, PVOID Routine)
{
    for (ULONG i = 0; i < PSP_NOTIFY_ROUTINES; i++)
        if (PspNotify[Kind][i].Used == Used && PspNotify[Kind][i].Routine == Routine)
            return &PspNotify[Kind][i];
    return NULL;
}

static NTSTATUS PspSetNotify(PSP_NOTIFY_KIND Kind, PVOID Routine, ULONG Stack)
{
    PSP_NOTIFY *Notify = PspFindNotify(Kind, FALSE, NULL);
    if (!Notify)
        return STATUS_INSUFFICIENT_RESOURCES;
    Notify->Used = TRUE;
    Notify->Routine = Routine;
    Notify->Stack = Stack;
    PspNotifyCount[Kind]++;
    VfTrack(Notify, sizeof(*Notify), VfCallbackObject, Routine, Stack);
    return STATUS_SUCCESS;
}

static NTSTATUS PspRemoveNotify(PSP_NOTIFY_KIND Kind, PVOID Routine)
{
    PSP_NOTIFY *Notify = PspFindNotify(Kind, TRUE, Routine);
    if (!Notify)
        return STATUS_PROCEDURE_NOT_FOUND;
    VfUntrack(Notify, VfCallbackObject);
    Notify->Used = FALSE;
    Notify->Routine = NULL;
    PspNotifyCount[Kind]--;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI PsSetCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE Routine)
{
    return PspSetNotify(PspThreadNotify, Routine, VfCaptureStack());
}

/* docs: PSCREATETHREADNOTIFYTYPE: routines for all subsystems see what plain ones see, for there is one subsystem here. */
NTSTATUS NTAPI PsSetCreateThreadNotifyRoutineEx(PSCREATETHREADNOTIFYTYPE NotifyType, PVOID NotifyInformation)
{
    if (NotifyType != PsCreateThreadNotifyNonSystem && NotifyType != PsCreateThreadNotifySubsystems)
        return STATUS_INVALID_PARAMETER;
    return PspSetNotify(NotifyType == PsCreateThreadNotifyNonSystem ? PspNewThreadNotify : PspThreadNotify,
                        NotifyInformation, VfCaptureStack());
}

NTSTATUS NTAPI PsRemoveCreateThreadNotifyRoutine(PCREATE_THREAD_NOTIFY_ROUTINE Routine)
{
    NTSTATUS Status = PspRemoveNotify(PspThreadNotify, Routine);
    return NT_SUCCESS(Status) ? Status : PspRemoveNotify(PspNewThreadNotify, Routine);
}

NTSTATUS NTAPI PsSetLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE Routine)
{
    return PspSetNotify(PspImageNotify, Routine, VfCaptureStack());
}

NTSTATUS NTAPI PsRemoveLoadImageNotifyRoutine(PLOAD_IMAGE_NOTIFY_ROUTINE Routine)
{
    return PspRemoveNotify(PspImageNotify, Routine);
}

/* docs: PsSetCreateProcessNotifyRoutine: registering the same routine twice, or removing an unknown one, fails. */
static NTSTATUS PspProcessRoutine(PSP_NOTIFY_KIND Kind, PVOID Routine, BOOLEAN Remove, ULONG Stack)
{
    if (Remove)
        return PspRemoveNotify(Kind, Routine);
    if (PspFindNotify(Kind, TRUE, Routine))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = PspSetNotify(Kind, Routine, Stack);
    return NT_SUCCESS(Status) ? Status : STATUS_INVALID_PARAMETER;
}

NTSTATUS NTAPI PsSetCreateProcessNotifyRoutine(PCREATE_PROCESS_NOTIFY_ROUTINE Routine, BOOLEAN Remove)
{
    return PspProcessRoutine(PspProcessNotify, Routine, Remove, VfCaptureStack());
}

NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx(PCREATE_PROCESS_NOTIFY_ROUTINE_EX Routine, BOOLEAN Remove)
{
    if (!Remove && !MmVerifyCallbackFunction((PVOID)(ULONG_PTR)Routine))
        return STATUS_ACCESS_DENIED;
    return PspProcessRoutine(PspProcessNotifyEx, Routine, Remove, VfCaptureStack());
}

/* docs: PsSetCreateProcessNotifyRoutineEx2: type 0 (PsCreateProcessNotifySubsystems); there is one subsystem here. */
NTSTATUS NTAPI PsSetCreateProcessNotifyRoutineEx2(PSCREATEPROCESSNOTIFYTYPE NotifyType, PVOID NotifyInformation,
                                                  BOOLEAN Remove)
{
    if (NotifyType)
        return STATUS_INVALID_PARAMETER;
    if (!Remove && !MmVerifyCallbackFunction(NotifyInformation))
        return STATUS_ACCESS_DENIED;
    return PspProcessRoutine(PspProcessNotifyEx, NotifyInformation, Remove, VfCaptureStack());
}

/* docs: PsSetLoadImageNotifyRoutineEx: flag 1 asks for images of other architectures, too. */
NTSTATUS NTAPI PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE Routine, ULONG_PTR Flags)
{
    if (Flags & ~(ULONG_PTR)1)
        return STATUS_INVALID_PARAMETER_2;
    return PspSetNotify(PspImageNotify, Routine, VfCaptureStack());
}

/* ---- Calling ----------------------------------------------------------------------------------------------------- */

static VOID PspCallThreadRoutines(PSP_NOTIFY_KIND Kind, PETHREAD Thread, BOOLEAN Created)
{
    for (ULONG i = 0; PspNotifyCount[Kind] && i < PSP_NOTIFY_ROUTINES; i++) {
        PSP_NOTIFY Notify = PspNotify[Kind][i];
        if (!Notify.Used)
            continue;
        VF_CALLBACK Callback = {.Contract = "PCREATE_THREAD_NOTIFY_ROUTINE",
                                .What =
                                    Created ? "notification of a thread's creation" : "notification of a thread's end",
                                .Routine = Notify.Routine,
                                .Object = Notify.Routine,
                                .Stack = Notify.Stack,
                                .StackText = "The routine was registered at:"};
        VfEnterCallback(&Callback);
        ((PCREATE_THREAD_NOTIFY_ROUTINE)Notify.Routine)(Thread->Cid.UniqueProcess, Thread->Cid.UniqueThread, Created);
        VfLeaveCallback(&Callback);
    }
}

VOID PspNotifyThread(PETHREAD Thread, BOOLEAN Created)
{
    PspCallThreadRoutines(PspThreadNotify, Thread, Created);
    if (!Created && PspIsUser((PEPROCESS)Thread->Tcb.Process))
        PspCallThreadRoutines(PspNewThreadNotify, Thread, FALSE);
}

VOID PspNotifyNewThread(PETHREAD Thread)
{
    PspCallThreadRoutines(PspNewThreadNotify, Thread, TRUE);
}

static VOID PspEnterNotify(VF_CALLBACK *Callback, const PSP_NOTIFY *Notify, PCSTR Contract, PCSTR What)
{
    *Callback = (VF_CALLBACK){.Contract = Contract,
                              .What = What,
                              .Routine = Notify->Routine,
                              .Object = Notify->Routine,
                              .Stack = Notify->Stack,
                              .StackText = "The routine was registered at:"};
    VfEnterCallback(Callback);
}

static VOID PspCallProcessRoutine(const PSP_NOTIFY *Notify, PEPROCESS Process, BOOLEAN Created)
{
    VF_CALLBACK Callback;

    PspEnterNotify(&Callback, Notify, "PCREATE_PROCESS_NOTIFY_ROUTINE",
                   Created ? "notification of a process's creation" : "notification of a process's end");
    ((PCREATE_PROCESS_NOTIFY_ROUTINE)Notify->Routine)(Process->InheritedFromUniqueProcessId, Process->UniqueProcessId,
                                                      Created);
    VfLeaveCallback(&Callback);
}

static VOID PspCallProcessRoutineEx(const PSP_NOTIFY *Notify, PEPROCESS Process, PPS_CREATE_NOTIFY_INFO Info)
{
    VF_CALLBACK Callback;

    PspEnterNotify(&Callback, Notify, "PCREATE_PROCESS_NOTIFY_ROUTINE_EX",
                   Info ? "notification of a process's creation" : "notification of a process's end");
    ((PCREATE_PROCESS_NOTIFY_ROUTINE_EX)Notify->Routine)(Process, Process->UniqueProcessId, Info);
    VfLeaveCallback(&Callback);
}

NTSTATUS PspNotifyProcess(PEPROCESS Process, PETHREAD Creator, BOOLEAN Created)
{
    PS_CREATE_NOTIFY_INFO Info = {.Size = sizeof(Info), .FileOpenNameAvailable = 1};

    if (Created) {
        Info.ParentProcessId = Process->InheritedFromUniqueProcessId;
        Info.CreatingThreadId = Creator->Cid;
        Info.FileObject = Process->ImageFile;
        Info.ImageFileName = &Process->OpenPath;
        Info.CommandLine = &Process->CommandLine;
    }
    for (ULONG i = 0; PspNotifyCount[PspProcessNotify] && i < PSP_NOTIFY_ROUTINES; i++) {
        PSP_NOTIFY Notify = PspNotify[PspProcessNotify][i];
        if (Notify.Used)
            PspCallProcessRoutine(&Notify, Process, Created);
    }
    for (ULONG i = 0; PspNotifyCount[PspProcessNotifyEx] && i < PSP_NOTIFY_ROUTINES; i++) {
        PSP_NOTIFY Notify = PspNotify[PspProcessNotifyEx][i];
        if (Notify.Used)
            PspCallProcessRoutineEx(&Notify, Process, Created ? &Info : NULL);
    }
    return Info.CreationStatus;
}

/* docs: IMAGE_INFO_EX: the file comes along where ExtendedInfoPresent says so. */
VOID PspNotifyImage(PCUNICODE_STRING Name, HANDLE ProcessId, PVOID Base, SIZE_T Bytes, BOOLEAN System,
                    PFILE_OBJECT File)
{
    for (ULONG i = 0; PspNotifyCount[PspImageNotify] && i < PSP_NOTIFY_ROUTINES; i++) {
        PSP_NOTIFY Notify = PspNotify[PspImageNotify][i];
        IMAGE_INFO_EX Info = {.Size = sizeof(Info),
                              .ImageInfo = {.ImageAddressingMode = IMAGE_ADDRESSING_MODE_32BIT,
                                            .SystemModeImage = System,
                                            .ExtendedInfoPresent = File != NULL,
                                            .ImageBase = Base,
                                            .ImageSize = Bytes},
                              .FileObject = File};
        VF_CALLBACK Callback;
        if (!Notify.Used)
            continue;
        PspEnterNotify(&Callback, &Notify, "PLOAD_IMAGE_NOTIFY_ROUTINE", "notification of an image load");
        ((PLOAD_IMAGE_NOTIFY_ROUTINE)Notify.Routine)((PUNICODE_STRING)Name, ProcessId, &Info.ImageInfo);
        VfLeaveCallback(&Callback);
    }
}

/* ---- Modules ----------------------------------------------------------------------------------------------------- */

/* Windows' own layout (KLDR_DATA_TABLE_ENTRY), because drivers walk this list. */
typedef struct _PSP_MODULE {
    LIST_ENTRY InLoadOrderLinks;
    PVOID ExceptionTable;
    ULONG ExceptionTableSize;
    PVOID GpValue;
    PVOID NonPagedDebugInfo;
    PVOID DllBase;
    PVOID EntryPoint;
    ULONG SizeOfImage;
    UNICODE_STRING FullDllName;
    UNICODE_STRING BaseDllName;
    ULONG Flags;
    USHORT LoadCount;
    USHORT Signature;
    PVOID SectionPointer;
    ULONG CheckSum;
    ULONG CoverageSectionSize;
    PVOID CoverageSection;
    PVOID LoadedImports;
    PVOID Spare;
    ULONG SizeOfImageNotRounded;
    ULONG TimeDateStamp;
} PSP_MODULE, *PPSP_MODULE;
C_ASSERT(FIELD_OFFSET(PSP_MODULE, DllBase) == 0x30);
C_ASSERT(FIELD_OFFSET(PSP_MODULE, FullDllName) == 0x48);
C_ASSERT(FIELD_OFFSET(PSP_MODULE, Flags) == 0x68);
C_ASSERT(FIELD_OFFSET(PSP_MODULE, CheckSum) == 0x78);

#define PSP_MODULE_FLAGS 0x49104000 /* as seen on a loaded and entered driver */

PVOID PspEnterModule(PMI_IMAGE Image, PCUNICODE_STRING FullName)
{
    SIZE_T Bytes = sizeof(PSP_MODULE) + FullName->Length + sizeof(WCHAR);
    PPSP_MODULE Module = ExpAllocate(Bytes, 'dLmM');
    RtlZeroMemory(Module, Bytes);
    Module->DllBase = (PVOID)Image->Base;
    Module->SizeOfImage = Module->SizeOfImageNotRounded = Image->Info.bytes;
    Module->EntryPoint = Image->Info.entry ? (PVOID)(Image->Base + Image->Info.entry) : NULL;
    Module->ExceptionTable = Image->Info.unwind ? (PVOID)(Image->Base + Image->Info.unwind) : NULL;
    Module->ExceptionTableSize = Image->Info.unwind_bytes;
    Module->CheckSum = Image->Info.check_sum;
    Module->TimeDateStamp = Image->Info.time_stamp;
    Module->Flags = PSP_MODULE_FLAGS;
    Module->LoadCount = 1;
    Module->FullDllName.Buffer = (PWSTR)(Module + 1);
    Module->FullDllName.Length = FullName->Length;
    Module->FullDllName.MaximumLength = FullName->Length + sizeof(WCHAR);
    RtlCopyMemory(Module->FullDllName.Buffer, FullName->Buffer, FullName->Length);
    ULONG Start = FullName->Length / sizeof(WCHAR);
    while (Start && Module->FullDllName.Buffer[Start - 1] != L'\\')
        Start--;
    Module->BaseDllName.Buffer = Module->FullDllName.Buffer + Start;
    Module->BaseDllName.Length = FullName->Length - (USHORT)(Start * sizeof(WCHAR));
    Module->BaseDllName.MaximumLength = Module->BaseDllName.Length + sizeof(WCHAR);
    InsertTailList(&PsLoadedModuleList, &Module->InLoadOrderLinks);
    if (Image->Driver)
        PspNotifyImage(FullName, NULL, Module->DllBase, Module->SizeOfImage, TRUE, NULL);
    return Module;
}

C_ASSERT(sizeof(PSP_MODULE) >= PSP_MODULE_KNOWN);

PCUNICODE_STRING PspModuleName(PLIST_ENTRY Link)
{
    return &CONTAINING_RECORD(Link, PSP_MODULE, InLoadOrderLinks)->BaseDllName;
}

PUNICODE_STRING PspModulePath(PVOID Module)
{
    return &((PSP_MODULE *)Module)->FullDllName;
}

VOID PspRemoveModule(PVOID Module)
{
    RemoveEntryList(&((PPSP_MODULE)Module)->InLoadOrderLinks);
    ExpFree(Module);
}

/* RTL_PROCESS_MODULE_INFORMATION */
typedef struct _PSP_MODULE_INFORMATION {
    PVOID Section, MappedBase, ImageBase;
    ULONG ImageSize, Flags;
    USHORT LoadOrderIndex, InitOrderIndex, LoadCount, OffsetToFileName;
    CHAR FullPathName[256];
} PSP_MODULE_INFORMATION;
C_ASSERT(sizeof(PSP_MODULE_INFORMATION) == 296);

static VOID PspDescribeModule(PSP_MODULE_INFORMATION *Entry, PPSP_MODULE Module, ULONG Index)
{
    RtlZeroMemory(Entry, sizeof(*Entry));
    Entry->ImageBase = Module->DllBase;
    Entry->ImageSize = Module->SizeOfImage;
    Entry->Flags = Module->Flags;
    Entry->LoadOrderIndex = (USHORT)Index;
    Entry->LoadCount = Module->LoadCount;
    RtlpToUtf8(Entry->FullPathName, sizeof(Entry->FullPathName), Module->FullDllName.Buffer,
               Module->FullDllName.Length / sizeof(WCHAR));
    Entry->OffsetToFileName = (USHORT)((Module->FullDllName.Length - Module->BaseDllName.Length) / sizeof(WCHAR));
}

/* SystemModuleInformation: a count, then the modules in load order. */
NTSTATUS PspQueryModules(PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_MODULE_INFORMATION *Entry = (PSP_MODULE_INFORMATION *)((PUCHAR)Buffer + 8);
    ULONG Count = 0;

    for (PLIST_ENTRY Link = PsLoadedModuleList.Flink; Link != &PsLoadedModuleList; Link = Link->Flink, Count++) {
        PPSP_MODULE Module = CONTAINING_RECORD(Link, PSP_MODULE, InLoadOrderLinks);
        if (8 + (Count + 1) * sizeof(*Entry) > Bytes)
            continue;
        PspDescribeModule(&Entry[Count], Module, Count);
    }
    if (Returned)
        *Returned = (ULONG)(8 + Count * sizeof(*Entry));
    if (8 + Count * sizeof(*Entry) > Bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    *(PULONG)Buffer = Count;
    return STATUS_SUCCESS;
}

/* SystemModuleInformationEx: each says how far the next one is; the last is a distance of 0 alone. */
typedef struct _PSP_MODULE_INFORMATION_EX {
    USHORT NextOffset;
    PSP_MODULE_INFORMATION BaseInfo;
    ULONG ImageChecksum, TimeDateStamp;
    PVOID DefaultBase;
} PSP_MODULE_INFORMATION_EX;
C_ASSERT(sizeof(PSP_MODULE_INFORMATION_EX) == 320);

NTSTATUS PspQueryModulesEx(PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PSP_MODULE_INFORMATION_EX *Entry = Buffer;
    ULONG Count = 0, Need;

    for (PLIST_ENTRY Link = PsLoadedModuleList.Flink; Link != &PsLoadedModuleList; Link = Link->Flink, Count++) {
        PPSP_MODULE Module = CONTAINING_RECORD(Link, PSP_MODULE, InLoadOrderLinks);
        if ((Count + 1) * sizeof(*Entry) > Bytes)
            continue;
        PspDescribeModule(&Entry[Count].BaseInfo, Module, Count);
        Entry[Count].NextOffset = sizeof(*Entry);
        Entry[Count].ImageChecksum = Module->CheckSum;
        Entry[Count].TimeDateStamp = Module->TimeDateStamp;
        Entry[Count].DefaultBase = Module->DllBase;
    }
    Need = (ULONG)(Count * sizeof(*Entry) + sizeof(USHORT));
    if (Returned)
        *Returned = Need;
    if (Need > Bytes)
        return STATUS_INFO_LENGTH_MISMATCH;
    Entry[Count].NextOffset = 0;
    return STATUS_SUCCESS;
}
