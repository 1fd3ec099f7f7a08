/*
 * Hives and their files (docs: RegSaveKeyEx, RegLoadKey, RegUnLoadKey, RegRestoreKey, RegReplaceKey, [MS-RRP], and the
 * REG_..._KEY_INFORMATION structures of the callbacks).
 *
 * A hive that was loaded has a file, open for it alone until it is unloaded. It is written whole when it is flushed, when it
 * is unloaded, and when the machine ends. DIFFERS: not some seconds after a change; there are no logs.
 *
 * Reading and writing files reaches delivery points. So a tree becomes bytes, and bytes become a tree, in one go; whoever
 * comes back from a file looks at the keys anew.
 */
#include "nt.h"
#include "cm/cmp.h"
#include "cm/hive.h"

#define CM_FILE_PART 0x100000u
#define CM_FILE_MOST 0x7fff0000u

/* A hive that was loaded. */
typedef struct _CM_HIVE_FILE {
    LIST_ENTRY Entry;
    PCM_KEY Root;
    HANDLE File; /* the kernel's */
    UNICODE_STRING Path;
    BOOLEAN Dirty, NoLazyFlush;
    BOOLEAN Private; /* an application hive that is not to be loaded a second time */
    BOOLEAN Leaving; /* goes with the last key object; */
    PKEVENT Event;   /* then it is set */
} CM_HIVE_FILE, *PCM_HIVE_FILE;

static LIST_ENTRY CmpHives = {&CmpHives, &CmpHives};
static ULONG CmpHivesLeaving;

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* A kernel handle to the file behind a handle of the caller's, who needs Access. */
static NTSTATUS CmpOwnHandle(HANDLE Given, ACCESS_MASK Access, PHANDLE Own)
{
    PVOID File;
    NTSTATUS Status = ObReferenceObjectByHandle(Given, Access, IopFileType, ExGetPreviousMode(), &File, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObOpenObjectByPointer(File, OBJ_KERNEL_HANDLE, NULL, Access | SYNCHRONIZE, IopFileType, KernelMode, Own);
    ObfDereferenceObject(File);
    return Status;
}

/* All of a file up to Bytes, or (Write) from a buffer; the file may have been opened either way. */
static NTSTATUS CmpTransfer(HANDLE File, BOOLEAN Write, PUCHAR Buffer, ULONG Bytes)
{
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG At = 0; At < Bytes && NT_SUCCESS(Status);) {
        IO_STATUS_BLOCK Iosb = {0};
        LARGE_INTEGER Offset = {.QuadPart = At};
        ULONG Part = min(CM_FILE_PART, Bytes - At);
        Status = Write ? NtWriteFile(File, NULL, NULL, NULL, &Iosb, Buffer + At, Part, &Offset, NULL)
                       : NtReadFile(File, NULL, NULL, NULL, &Iosb, Buffer + At, Part, &Offset, NULL);
        if (Status == STATUS_PENDING && NT_SUCCESS(Status = NtWaitForSingleObject(File, FALSE, NULL)))
            Status = Iosb.Status;
        if (NT_SUCCESS(Status) && Iosb.Information != Part)
            Status = STATUS_REGISTRY_IO_FAILED;
        At += Part;
    }
    return Status;
}

static NTSTATUS CmpReadFile(HANDLE File, PUCHAR *Image, PULONG Bytes)
{
    FILE_STANDARD_INFORMATION Standard;
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status = NtQueryInformationFile(File, &Iosb, &Standard, sizeof(Standard), FileStandardInformation);
    *Image = NULL;
    *Bytes = 0;
    if (!NT_SUCCESS(Status) || !Standard.EndOfFile.QuadPart)
        return Status;
    if (Standard.EndOfFile.QuadPart > CM_FILE_MOST)
        return STATUS_INSUFFICIENT_RESOURCES;
    *Bytes = Standard.EndOfFile.LowPart;
    *Image = ExpTryAllocate(*Bytes, CM_TAG);
    if (!*Image)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = CmpTransfer(File, FALSE, *Image, *Bytes);
    if (!NT_SUCCESS(Status))
        ExpFree(*Image);
    return Status;
}

static NTSTATUS CmpWriteFile(HANDLE File, PCM_KEY Top, BOOLEAN Latest)
{
    PUCHAR Image;
    ULONG Bytes;
    NTSTATUS Status = CmpWriteHive(Top, Latest, &Image, &Bytes);
    if (!NT_SUCCESS(Status))
        return Status;
    FILE_END_OF_FILE_INFORMATION End = {.EndOfFile.QuadPart = Bytes};
    IO_STATUS_BLOCK Iosb;
    Status = CmpTransfer(File, TRUE, Image, Bytes);
    if (NT_SUCCESS(Status))
        Status = NtSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation);
    ExpFree(Image);
    return Status;
}

/* A file as a tree of at most so many levels. */
static NTSTATUS CmpReadTreeOf(HANDLE File, ULONG Levels, BOOLEAN Volatile, PCM_KEY *Top)
{
    PUCHAR Image;
    ULONG Bytes;
    NTSTATUS Status = CmpReadFile(File, &Image, &Bytes);
    *Top = NULL;
    if (!NT_SUCCESS(Status) || !Image)
        return Status;
    Status = CmpReadHive(Image, Bytes, Levels, Volatile, Top);
    ExpFree(Image);
    return Status;
}

/* By a caller's name, for the kernel. */
static NTSTATUS CmpOpenFile(POBJECT_ATTRIBUTES Attributes, ULONG Disposition, PHANDLE File)
{
    OBJECT_ATTRIBUTES Own = *Attributes;
    IO_STATUS_BLOCK Iosb;
    Own.Attributes = OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE;
    Own.SecurityDescriptor = Own.SecurityQualityOfService = NULL;
    return NtCreateFile(File, GENERIC_READ | GENERIC_WRITE | DELETE | SYNCHRONIZE, &Own, &Iosb, NULL,
                        FILE_ATTRIBUTE_NORMAL, 0, Disposition, FILE_NON_DIRECTORY_FILE | FILE_SYNCHRONOUS_IO_NONALERT,
                        NULL, 0);
}

/* ---- Loaded hives ------------------------------------------------------------------------------------------------ */

static PCM_HIVE_FILE CmpHiveOf(PCM_KEY Key)
{
    while (Key && !(Key->Flags & CM_LOADED))
        Key = Key->Parent;
    for (PLIST_ENTRY Entry = CmpHives.Flink; Key && Entry != &CmpHives; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, CM_HIVE_FILE, Entry)->Root == Key)
            return CONTAINING_RECORD(Entry, CM_HIVE_FILE, Entry);
    return NULL;
}

VOID CmpHiveChanges(PCM_KEY Key)
{
    PCM_HIVE_FILE Hive = IsListEmpty(&CmpHives) ? NULL : CmpHiveOf(Key);
    if (Hive)
        Hive->Dirty = TRUE;
}

static NTSTATUS CmpFlushHive(PCM_HIVE_FILE Hive)
{
    NTSTATUS Status = STATUS_SUCCESS;
    while (Hive->Dirty && NT_SUCCESS(Status)) { /* others change it while it is written */
        Hive->Dirty = FALSE;
        Status = CmpWriteFile(Hive->File, Hive->Root, TRUE);
    }
    if (!NT_SUCCESS(Status))
        Hive->Dirty = TRUE;
    return Status;
}

NTSTATUS CmpFlushKey(PCM_KEY Key)
{
    PCM_HIVE_FILE Hive = CmpHiveOf(Key);
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    return KiEndKernelMode(Mode, Hive ? CmpFlushHive(Hive) : STATUS_SUCCESS);
}

/* Before the file systems are told of the end. */
VOID CmShutdown(VOID)
{
    for (PLIST_ENTRY Entry = CmpHives.Flink; Entry != &CmpHives; Entry = Entry->Flink)
        CmpFlushHive(CONTAINING_RECORD(Entry, CM_HIVE_FILE, Entry));
}

static VOID CmpForgetHive(PCM_HIVE_FILE Hive)
{
    RemoveEntryList(&Hive->Entry);
    CmpHivesLeaving -= Hive->Leaving;
    NtClose(Hive->File);
    if (Hive->Event) {
        KeSetEvent(Hive->Event, 0, FALSE);
        ObfDereferenceObject(Hive->Event);
    }
    ExpFree(Hive->Path.Buffer);
    ExpFree(Hive);
}

/* ---- Saving ------------------------------------------------------------------------------------------------------ */

static NTSTATUS CmpSave(PCM_KEY_BODY Body, PVOID Context)
{
    HANDLE FileHandle = ((PREG_SAVE_KEY_INFORMATION)Context)->FileHandle;
    ULONG Format = ((PREG_SAVE_KEY_INFORMATION)Context)->Format;
    HANDLE File;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Format == REG_NO_COMPRESSION && !(Body->Key->Flags & CM_HIVE)) /* docs: RegSaveKeyEx: only the root of a hive */
        return STATUS_INVALID_PARAMETER;
    if (!Body->Key->Parent || (Body->Key->Flags & CM_FIXED))
        return STATUS_ACCESS_DENIED; /* several hives */
    Status = CmpOwnHandle(FileHandle, FILE_WRITE_DATA, &File);
    if (!NT_SUCCESS(Status))
        return Status;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    Status = CmpWriteFile(File, Body->Key, Format != REG_STANDARD_FORMAT);
    NtClose(File);
    return KiEndKernelMode(Mode, Status);
}

NTSTATUS NTAPI NtSaveKeyEx(HANDLE KeyHandle, HANDLE FileHandle, ULONG Format)
{
    REG_SAVE_KEY_INFORMATION Information = {.FileHandle = FileHandle, .Format = Format};
    if (Format != REG_STANDARD_FORMAT && Format != REG_LATEST_FORMAT && Format != REG_NO_COMPRESSION)
        return STATUS_INVALID_PARAMETER;
    if (!SepHasPrivilege(SE_BACKUP_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    return CmpRun(KeyHandle, 0, SaveKey, Information, CmpSave);
}

NTSTATUS NTAPI NtSaveKey(HANDLE KeyHandle, HANDLE FileHandle)
{
    return NtSaveKeyEx(KeyHandle, FileHandle, REG_STANDARD_FORMAT);
}

/* ---- Loading ----------------------------------------------------------------------------------------------------- */

/* "...\Parent\Name": the parent opened for a backup or restore, whose privilege stands in for its security. */
static NTSTATUS CmpOpenParent(POBJECT_ATTRIBUTES Target, PUNICODE_STRING Name, PCM_KEY_BODY *Body)
{
    UNICODE_STRING Front = Target->ObjectName ? *Target->ObjectName : (UNICODE_STRING){0};
    OBJECT_ATTRIBUTES Attributes = *Target;
    ULONG End = Front.Length / sizeof(WCHAR), Start = End;
    while (Start && Front.Buffer[Start - 1] != L'\\')
        Start--;
    Name->Buffer = Front.Buffer + Start;
    Name->Length = Name->MaximumLength = (USHORT)((End - Start) * sizeof(WCHAR));
    if (!Name->Length || Name->Length > CM_NAME_MOST)
        return STATUS_INVALID_PARAMETER;
    Front.Length = (USHORT)((Start ? Start - 1 : 0) * sizeof(WCHAR));
    Attributes.ObjectName = &Front;
    return CmpOpenBody(&Attributes, REG_OPTION_BACKUP_RESTORE, Body);
}

/* What a file holds, as a tree of its own. An empty file, or a new one, becomes an empty hive at once. */
static NTSTATUS CmpReadOrMake(PCM_KEY Parent, PUNICODE_STRING Name, HANDLE File, PCM_KEY *Top)
{
    PSECURITY_DESCRIPTOR Security;
    NTSTATUS Status = CmpReadTreeOf(File, CM_DEPTH_MOST - CmpDepth(Parent), FALSE, Top);
    if (!NT_SUCCESS(Status) || *Top)
        return Status;
    Status = CmpMakeSecurity(Parent, NULL, &Security);
    if (!NT_SUCCESS(Status))
        return Status;
    *Top = CmpMakeKey(NULL, Name, Security);
    Status = CmpWriteFile(File, *Top, TRUE);
    if (!NT_SUCCESS(Status))
        CmpDestroyTree(*Top);
    return Status;
}

static NTSTATUS CmpMount(PCM_KEY Parent, PUNICODE_STRING Name, HANDLE File, PUNICODE_STRING Path, ULONG Flags)
{
    PCM_KEY Top;
    NTSTATUS Status = CmpReadOrMake(Parent, Name, File, &Top);
    if (!NT_SUCCESS(Status))
        return Status;
    if (CmpFindKey(Parent, Name, NULL)) {
        CmpDestroyTree(Top);
        return STATUS_OBJECT_NAME_COLLISION;
    }
    CmpAttachKey(Parent, Top, Name);
    Top->Flags = (Top->Flags & ~CM_VOLATILE) | CM_HIVE | CM_LOADED;
    PCM_HIVE_FILE Hive = ExpAllocate(sizeof(*Hive), CM_TAG);
    *Hive = (CM_HIVE_FILE){.Root = Top, .File = File, .NoLazyFlush = (Flags & REG_NO_LAZY_FLUSH) != 0};
    Hive->Path.Buffer = ExpAllocate(Path->Length + sizeof(WCHAR), CM_TAG);
    Hive->Path.Length = Hive->Path.MaximumLength = Path->Length;
    RtlCopyMemory(Hive->Path.Buffer, Path->Buffer, Path->Length);
    InsertTailList(&CmpHives, &Hive->Entry);
    CmpNotify(Parent, REG_NOTIFY_CHANGE_NAME);
    return STATUS_SUCCESS;
}

static NTSTATUS CmpLoad(PCM_KEY_BODY Parent, PUNICODE_STRING Name, POBJECT_ATTRIBUTES Source, ULONG Flags)
{
    HANDLE File;
    NTSTATUS Status = CmpMayWrite(Parent);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!(Parent->Key->Flags & CM_FIXED) || !Parent->Key->Parent) /* below MACHINE and USER */
        return STATUS_INVALID_PARAMETER;
    if (CmpFindKey(Parent->Key, Name, NULL))
        return STATUS_OBJECT_NAME_COLLISION;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    Status = CmpOpenFile(Source, FILE_OPEN_IF, &File);
    if (NT_SUCCESS(Status)) {
        Status = CmpMount(Parent->Key, Name, File, Source->ObjectName, Flags);
        if (!NT_SUCCESS(Status))
            NtClose(File);
    }
    return KiEndKernelMode(Mode, Status);
}

static NTSTATUS CmpOpenLoaded(POBJECT_ATTRIBUTES Target, ACCESS_MASK Access, PHANDLE RootHandle)
{
    return RootHandle ? NtOpenKey(RootHandle, Access, Target) : STATUS_SUCCESS;
}

/* ---- Application hives (docs: RegLoadAppKey): reached by the handle alone, and gone with the last one ------------------ */

PCM_KEY CmpAppRoot;

static PCM_HIVE_FILE CmpFindApp(PUNICODE_STRING Path)
{
    for (PLIST_ENTRY Entry = CmpHives.Flink; Entry != &CmpHives; Entry = Entry->Flink) {
        PCM_HIVE_FILE Hive = CONTAINING_RECORD(Entry, CM_HIVE_FILE, Entry);
        if (Hive->Root->Parent == CmpAppRoot && RtlEqualUnicodeString(&Hive->Path, Path, TRUE))
            return Hive;
    }
    return NULL;
}

/* The hive of this file: loaded already, or now. */
static NTSTATUS CmpMountApp(PUNICODE_STRING Name, POBJECT_ATTRIBUTES Source, ULONG Flags, PCM_HIVE_FILE *Hive)
{
    HANDLE File;
    *Hive = CmpFindApp(Source->ObjectName);
    if (*Hive)
        return (*Hive)->Private || (Flags & REG_PROCESS_PRIVATE) ? STATUS_SHARING_VIOLATION : STATUS_SUCCESS;
    NTSTATUS Status = CmpOpenFile(Source, FILE_OPEN_IF, &File);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = CmpMount(CmpAppRoot, Name, File, Source->ObjectName, Flags);
    if (!NT_SUCCESS(Status)) {
        NtClose(File);
        return Status;
    }
    *Hive = CmpFindApp(Source->ObjectName);
    (*Hive)->Private = (Flags & REG_PROCESS_PRIVATE) != 0;
    (*Hive)->Leaving = TRUE;
    CmpHivesLeaving++;
    return STATUS_SUCCESS;
}

static NTSTATUS CmpOpenApp(PUNICODE_STRING Name, POBJECT_ATTRIBUTES Target, POBJECT_ATTRIBUTES Source, ULONG Flags,
                           ACCESS_MASK Access, PHANDLE RootHandle)
{
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    PCM_HIVE_FILE Hive;
    HANDLE Handle;
    PVOID Body;
    NTSTATUS Status = CmpMountApp(Name, Source, Flags, &Hive);
    if (NT_SUCCESS(Status))
        Status = CmpNewBody(Hive->Root, NULL, &Body);
    Status = KiEndKernelMode(Mode, Status);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObOpenObjectByPointer(Body, Target->Attributes & (OBJ_KERNEL_HANDLE | OBJ_INHERIT), NULL, Access,
                                   CmpKeyType, KernelMode, &Handle);
    ObfDereferenceObject(Body); /* if it was the only one, the hive goes again */
    if (NT_SUCCESS(Status))
        *RootHandle = Handle;
    return Status;
}

/* The target is \Registry\A and one name. */
static BOOLEAN CmpIsAppName(POBJECT_ATTRIBUTES Target, PUNICODE_STRING Name)
{
    static const UNICODE_STRING Prefix = RTL_CONSTANT_STRING(L"\\REGISTRY\\A\\");
    if (!Target || !Target->ObjectName || Target->RootDirectory ||
        !RtlPrefixUnicodeString(&Prefix, Target->ObjectName, TRUE))
        return FALSE;
    Name->Buffer = Target->ObjectName->Buffer + Prefix.Length / sizeof(WCHAR);
    Name->Length = Name->MaximumLength = Target->ObjectName->Length - Prefix.Length;
    for (ULONG i = 0; i < Name->Length / sizeof(WCHAR); i++)
        if (Name->Buffer[i] == L'\\')
            return FALSE;
    return Name->Length && Name->Length <= CM_NAME_MOST;
}

/* No privilege is needed. */
static NTSTATUS CmpLoadApp(POBJECT_ATTRIBUTES Target, POBJECT_ATTRIBUTES Source, ULONG Flags, ACCESS_MASK Access,
                           PHANDLE RootHandle)
{
    UNICODE_STRING Name;
    PVOID Parent;
    if (!CmpIsAppName(Target, &Name) || !Source || !Source->ObjectName || Source->RootDirectory || !RootHandle ||
        (Flags & ~(REG_APP_HIVE | REG_PROCESS_PRIVATE | REG_NO_LAZY_FLUSH)))
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = CmpNewBody(CmpAppRoot, NULL, &Parent);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_LOAD_KEY_INFORMATION Information = {.Object = Parent,
                                            .KeyName = Target->ObjectName,
                                            .SourceFile = Source->ObjectName,
                                            .Flags = Flags,
                                            .DesiredAccess = Access,
                                            .RootHandle = RootHandle};
    CM_CALL Call = CM_CALL_OF(RegNtPreLoadKey, RegNtPostLoadKey, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpOpenApp(&Name, Target, Source, Flags, Access, RootHandle);
    Status = CmpAfter(&Call, Parent, Status);
    ObfDereferenceObject(Parent);
    return Status;
}

NTSTATUS NTAPI NtLoadKeyEx(POBJECT_ATTRIBUTES Target, POBJECT_ATTRIBUTES Source, ULONG Flags, HANDLE TrustClassKey,
                           HANDLE Event, ACCESS_MASK Access, PHANDLE RootHandle, PVOID Reserved)
{
    PCM_KEY_BODY Parent;
    UNICODE_STRING Name;
    if (Flags & REG_APP_HIVE)
        return TrustClassKey || Event || Reserved ? STATUS_INVALID_PARAMETER
                                                  : CmpLoadApp(Target, Source, Flags, Access, RootHandle);
    if (!Target || !Source || !Source->ObjectName || (Flags & ~REG_NO_LAZY_FLUSH) || TrustClassKey || Event || Reserved)
        return STATUS_INVALID_PARAMETER;
    if (!SepHasPrivilege(SE_RESTORE_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    NTSTATUS Status = CmpOpenParent(Target, &Name, &Parent);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_LOAD_KEY_INFORMATION Information = {.Object = Parent,
                                            .KeyName = Target->ObjectName,
                                            .SourceFile = Source->ObjectName,
                                            .Flags = Flags,
                                            .DesiredAccess = Access,
                                            .RootHandle = RootHandle};
    CM_CALL Call = CM_CALL_OF(RegNtPreLoadKey, RegNtPostLoadKey, Information);
    if (CmpBefore(&Call, &Status) && NT_SUCCESS(Status = CmpLoad(Parent, &Name, Source, Flags)))
        Status = CmpOpenLoaded(Target, Access, RootHandle);
    Status = CmpAfter(&Call, Parent, Status);
    ObfDereferenceObject(Parent);
    return Status;
}

NTSTATUS NTAPI NtLoadKey2(POBJECT_ATTRIBUTES Target, POBJECT_ATTRIBUTES Source, ULONG Flags)
{
    return NtLoadKeyEx(Target, Source, Flags, NULL, NULL, 0, NULL, NULL);
}

NTSTATUS NTAPI NtLoadKey(POBJECT_ATTRIBUTES Target, POBJECT_ATTRIBUTES Source)
{
    return NtLoadKey2(Target, Source, 0);
}

/* ---- Unloading --------------------------------------------------------------------------------------------------- */

/* Held: references that do not count. The hive goes, if nobody else uses its keys. */
static NTSTATUS CmpUnmount(PCM_HIVE_FILE Hive, ULONG Held, BOOLEAN Force)
{
    PCM_KEY Root = Hive->Root;
    NTSTATUS Status = CmpFlushHive(Hive); /* clean, and no delivery point since */
    if (!NT_SUCCESS(Status))
        return Status;
    if (!Force && CmpUsesBelow(Root) > Held)
        return STATUS_CANNOT_DELETE;
    RemoveEntryList(&Hive->Entry); /* what goes now is no change of the file */
    InitializeListHead(&Hive->Entry);
    CmpReferenceKey(Root->Parent);
    PCM_KEY Parent = Root->Parent;
    CmpUnlinkKey(Root);
    CmpNotify(Parent, REG_NOTIFY_CHANGE_NAME);
    CmpDereferenceKey(Parent);
    CmpForgetHive(Hive);
    return STATUS_SUCCESS;
}

/* A key object has gone: was it the last one of a hive that is to go? */
VOID CmpHiveReleased(VOID)
{
    for (PLIST_ENTRY Entry = CmpHivesLeaving ? CmpHives.Flink : &CmpHives; Entry != &CmpHives; Entry = Entry->Flink) {
        PCM_HIVE_FILE Hive = CONTAINING_RECORD(Entry, CM_HIVE_FILE, Entry);
        if (!Hive->Leaving || CmpUsesBelow(Hive->Root))
            continue;
        KPROCESSOR_MODE Mode = KiBeginKernelMode();
        CmpUnmount(Hive, 0, FALSE);
        KiEndKernelMode(Mode, STATUS_SUCCESS);
        return; /* the next one goes with the next object */
    }
}

static NTSTATUS CmpUnload(PCM_KEY_BODY Body, BOOLEAN Force, PKEVENT Event)
{
    NTSTATUS Status = CmpMayRead(Body);
    PCM_HIVE_FILE Hive = CmpHiveOf(Body->Key);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!Hive || Hive->Root != Body->Key)
        return STATUS_INVALID_PARAMETER;
    if (Hive->Leaving && !Force)
        return STATUS_TOO_LATE;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    Status = CmpUnmount(Hive, 1, Force);
    if (Status == STATUS_SUCCESS && Event) {
        KeSetEvent(Event, 0, FALSE);
    } else if (Status == STATUS_CANNOT_DELETE && Event) {
        ObfReferenceObject(Event);
        Hive->Event = Event;
        Hive->Leaving = TRUE;
        CmpHivesLeaving++;
        Status = STATUS_PENDING;
    }
    return KiEndKernelMode(Mode, Status);
}

static NTSTATUS CmpUnloadBy(POBJECT_ATTRIBUTES Target, ULONG Flags, PKEVENT Event)
{
    PCM_KEY_BODY Body;
    if (!Target || (Flags & ~REG_FORCE_UNLOAD))
        return STATUS_INVALID_PARAMETER;
    if (!SepHasPrivilege(SE_RESTORE_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    NTSTATUS Status = CmpOpenBody(Target, REG_OPTION_BACKUP_RESTORE, &Body);
    if (!NT_SUCCESS(Status))
        return Status;
    REG_UNLOAD_KEY_INFORMATION Information = {.Object = Body, .UserEvent = Event};
    CM_CALL Call = CM_CALL_OF(RegNtPreUnLoadKey, RegNtPostUnLoadKey, Information);
    if (CmpBefore(&Call, &Status))
        Status = CmpUnload(Body, (Flags & REG_FORCE_UNLOAD) != 0, Event);
    Status = CmpAfter(&Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

NTSTATUS NTAPI NtUnloadKey2(POBJECT_ATTRIBUTES Target, ULONG Flags)
{
    return CmpUnloadBy(Target, Flags, NULL);
}

NTSTATUS NTAPI NtUnloadKey(POBJECT_ATTRIBUTES Target)
{
    return CmpUnloadBy(Target, 0, NULL);
}

/* With an event the hive goes when its keys are no longer used, and the event is set then. */
NTSTATUS NTAPI NtUnloadKeyEx(POBJECT_ATTRIBUTES Target, HANDLE EventHandle)
{
    PKEVENT Event = NULL;
    NTSTATUS Status = STATUS_SUCCESS;
    if (EventHandle)
        Status = ObReferenceObjectByHandle(EventHandle, EVENT_MODIFY_STATE, ObpEventType, ExGetPreviousMode(),
                                           (PVOID *)&Event, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Event)
        KeClearEvent(Event);
    Status = CmpUnloadBy(Target, 0, Event);
    if (Event)
        ObfDereferenceObject(Event);
    return Status;
}

/* ---- Restoring and replacing ------------------------------------------------------------------------------------- */

/* docs: RegRestoreKey: the key gets the file's values and subkeys in the place of its own. */
static NTSTATUS CmpPutInPlace(PCM_KEY_BODY Body, PCM_KEY Top, ULONG Flags)
{
    PCM_KEY Key = Body->Key;
    NTSTATUS Status = CmpMayWrite(Body);
    if (NT_SUCCESS(Status) && !(Flags & REG_FORCE_RESTORE) && CmpUsesBelow(Key) > Key->References)
        Status = STATUS_ACCESS_DENIED;
    if (!NT_SUCCESS(Status)) {
        CmpDestroyTree(Top);
        return Status;
    }
    CmpUnlinkBelow(Key);
    while (Key->Aged)
        CmpRemoveValue(CmpNthValue(Key, 0, NULL));
    Status = CmpMergeTree(Key, Top);
    CmpNotify(Key, REG_NOTIFY_CHANGE_NAME | REG_NOTIFY_CHANGE_LAST_SET);
    return Status;
}

static NTSTATUS CmpRestore(PCM_KEY_BODY Body, PVOID Context)
{
    HANDLE FileHandle = ((PREG_RESTORE_KEY_INFORMATION)Context)->FileHandle;
    ULONG Flags = ((PREG_RESTORE_KEY_INFORMATION)Context)->Flags;
    PCM_KEY Key = Body->Key, Top;
    PCM_HIVE_FILE Hive = CmpHiveOf(Key);
    HANDLE File;
    NTSTATUS Status = CmpMayWrite(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Body->Transaction)
        return STATUS_TRANSACTION_REQUEST_NOT_VALID;
    if (Flags & REG_REFRESH_HIVE) { /* back to what was flushed last */
        if (!Hive || Hive->Root != Key || !Hive->NoLazyFlush)
            return STATUS_INVALID_PARAMETER;
        FileHandle = Hive->File;
    } else if (Key->Flags & CM_FIXED)
        return STATUS_ACCESS_DENIED;
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    if (Flags & REG_REFRESH_HIVE)
        KiBeginKernelMode();
    Status = CmpOwnHandle(FileHandle, FILE_READ_DATA, &File);
    KiBeginKernelMode();
    if (NT_SUCCESS(Status)) {
        ULONG Levels = CM_DEPTH_MOST + 1 - CmpDepth(Key);
        Status = CmpReadTreeOf(File, Levels, (Key->Flags & CM_VOLATILE) != 0, &Top);
        if (NT_SUCCESS(Status))
            Status = Top ? CmpPutInPlace(Body, Top, Flags) : STATUS_NOT_REGISTRY_FILE;
        NtClose(File);
    }
    if (NT_SUCCESS(Status) && (Flags & REG_REFRESH_HIVE) && (Hive = CmpHiveOf(Key)))
        Hive->Dirty = FALSE;
    return KiEndKernelMode(Mode, Status);
}

NTSTATUS NTAPI NtRestoreKey(HANDLE KeyHandle, HANDLE FileHandle, ULONG Flags)
{
    REG_RESTORE_KEY_INFORMATION Information = {.FileHandle = FileHandle, .Flags = Flags};
    if (Flags & REG_WHOLE_HIVE_VOLATILE)
        return STATUS_NOT_SUPPORTED; /* DIFFERS: no hives in memory alone */
    if (Flags & ~(REG_REFRESH_HIVE | REG_NO_LAZY_FLUSH | REG_FORCE_RESTORE))
        return STATUS_INVALID_PARAMETER;
    if (!SepHasPrivilege(Flags & REG_REFRESH_HIVE ? SE_TCB_PRIVILEGE : SE_RESTORE_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    return CmpRun(KeyHandle, 0, RestoreKey, Information, CmpRestore);
}

static NTSTATUS CmpRenameFile(HANDLE File, PUNICODE_STRING Name)
{
    ULONG Bytes = FIELD_OFFSET(FILE_RENAME_INFORMATION, FileName) + Name->Length;
    PFILE_RENAME_INFORMATION Rename = ExpAllocate(max(Bytes, sizeof(*Rename)), CM_TAG);
    IO_STATUS_BLOCK Iosb;
    *Rename = (FILE_RENAME_INFORMATION){.ReplaceIfExists = TRUE, .FileNameLength = Name->Length};
    RtlCopyMemory(Rename->FileName, Name->Buffer, Name->Length);
    NTSTATUS Status = NtSetInformationFile(File, &Iosb, Rename, max(Bytes, sizeof(*Rename)), FileRenameInformation);
    ExpFree(Rename);
    return Status;
}

/* docs: RegReplaceKey: the hive goes on as it is, with its file under the old name; the new file is there when the hive is
 * loaded the next time. */
static NTSTATUS CmpReplace(PCM_KEY_BODY Body, PVOID Context)
{
    PREG_REPLACE_KEY_INFORMATION Asked = Context;
    OBJECT_ATTRIBUTES New = {.Length = sizeof(New), .ObjectName = Asked->NewFileName};
    PCM_HIVE_FILE Hive = CmpHiveOf(Body->Key);
    PCM_KEY Top;
    HANDLE File;
    NTSTATUS Status = CmpMayRead(Body);
    if (!NT_SUCCESS(Status))
        return Status;
    if (!Hive || Hive->Root != Body->Key) /* DIFFERS: what the machine begins with has no file */
        return STATUS_INVALID_PARAMETER;
    KPROCESSOR_MODE Mode = KiBeginKernelMode();
    Status = CmpOpenFile(&New, FILE_OPEN, &File);
    if (NT_SUCCESS(Status)) {
        Status = CmpReadTreeOf(File, CM_DEPTH_MOST, FALSE, &Top);
        if (NT_SUCCESS(Status) && !Top)
            Status = STATUS_NOT_REGISTRY_FILE;
        if (NT_SUCCESS(Status)) {
            CmpDestroyTree(Top);
            Hive = CmpHiveOf(Body->Key);
            Status = Hive ? CmpFlushHive(Hive) : STATUS_KEY_DELETED;
        }
        if (NT_SUCCESS(Status))
            Status = CmpRenameFile(Hive->File, Asked->OldFileName);
        if (NT_SUCCESS(Status))
            Status = CmpRenameFile(File, &Hive->Path);
        NtClose(File);
    }
    return KiEndKernelMode(Mode, Status);
}

NTSTATUS NTAPI NtReplaceKey(POBJECT_ATTRIBUTES NewFile, HANDLE KeyHandle, POBJECT_ATTRIBUTES OldFile)
{
    if (!NewFile || !OldFile || !NewFile->ObjectName || !OldFile->ObjectName || NewFile->RootDirectory ||
        OldFile->RootDirectory)
        return STATUS_INVALID_PARAMETER;
    REG_REPLACE_KEY_INFORMATION Information = {.OldFileName = OldFile->ObjectName, .NewFileName = NewFile->ObjectName};
    if (!SepHasPrivilege(SE_RESTORE_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    return CmpRun(KeyHandle, 0, ReplaceKey, Information, CmpReplace);
}
