/*
 * Handles.
 *
 * A handle is an index into a table, times four. Each process has a table; the System process's is the kernel's. A
 * handle made with OBJ_KERNEL_HANDLE lies there whoever makes it, carries the upper bits set, and means nothing to user
 * mode. -1 and -2 are the current process and thread and lie in no table.
 *
 * Closing what is no handle is a finding (INVALID_KERNEL_HANDLE) in kernel mode, as Windows does it; user mode is told.
 */
#include "nt.h"

#define OBP_HANDLE_TAG 'dHbO'
#define OBP_KERNEL_BITS 0xffffffff80000000ull

#define OBP_PROTECT_CLOSE 0x1u
#define OBP_KEPT (OBP_PROTECT_CLOSE | OBJ_INHERIT) /* what a handle remembers of its attributes */

static OBP_TABLE ObpKernelTable;

/* ---- Tables ------------------------------------------------------------------------------------------------------ */

static VOID ObpFreeIndex(POBP_TABLE Table, ULONG Index)
{
    POBP_ENTRY Entry = &Table->Chunk[Index / OBP_TABLE_CHUNK][Index % OBP_TABLE_CHUNK];
    Entry->Object = NULL;
    Entry->NextFree = 0;
    if (Table->FirstFree)
        Table->Chunk[Table->LastFree / OBP_TABLE_CHUNK][Table->LastFree % OBP_TABLE_CHUNK].NextFree = Index;
    else
        Table->FirstFree = Index;
    Table->LastFree = Index;
}

static VOID ObpGrowTable(POBP_TABLE Table)
{
    if (Table->Chunks == Table->ChunkRoom) {
        ULONG Room = Table->ChunkRoom ? Table->ChunkRoom * 2 : 16;
        POBP_ENTRY *Chunk = ExpAllocate(Room * sizeof(*Chunk), OBP_HANDLE_TAG);
        RtlCopyMemory(Chunk, Table->Chunk, Table->Chunks * sizeof(*Chunk));
        if (Table->Chunk)
            ExpFree(Table->Chunk);
        Table->Chunk = Chunk;
        Table->ChunkRoom = Room;
    }
    Table->Chunk[Table->Chunks] = ExpAllocate(OBP_TABLE_CHUNK * sizeof(OBP_ENTRY), OBP_HANDLE_TAG);
    ULONG First = Table->Chunks++ * OBP_TABLE_CHUNK;
    for (ULONG i = First ? 0 : 1; i < OBP_TABLE_CHUNK; i++)
        ObpFreeIndex(Table, First + i);
}

ULONG ObpTableInsert(POBP_TABLE Table, PVOID Object, ULONG Access, ULONG Attributes)
{
    if (!Table->FirstFree)
        ObpGrowTable(Table);
    ULONG Index = Table->FirstFree;
    POBP_ENTRY Entry = &Table->Chunk[Index / OBP_TABLE_CHUNK][Index % OBP_TABLE_CHUNK];
    Table->FirstFree = Entry->NextFree;
    Entry->Object = Object;
    Entry->Access = Access;
    Entry->Attributes = Attributes;
    Entry->Stack = 0;
    Table->Count++;
    return Index;
}

POBP_ENTRY ObpTableEntry(POBP_TABLE Table, ULONG Index)
{
    if (Index / OBP_TABLE_CHUNK >= Table->Chunks)
        return NULL;
    POBP_ENTRY Entry = &Table->Chunk[Index / OBP_TABLE_CHUNK][Index % OBP_TABLE_CHUNK];
    return Entry->Object ? Entry : NULL;
}

VOID ObpTableRemove(POBP_TABLE Table, ULONG Index)
{
    ObpFreeIndex(Table, Index);
    Table->Count--;
}

/* Protected handles too: nobody is left to unprotect them. */
VOID ObpCloseTable(POBP_TABLE Table)
{
    for (ULONG Index = 1; Index < Table->Chunks * OBP_TABLE_CHUNK; Index++) {
        POBP_ENTRY Entry = ObpTableEntry(Table, Index);
        if (!Entry)
            continue;
        PVOID Body = Entry->Object;
        ObpTableRemove(Table, Index);
        ObpHandleClosed(Body);
    }
}

VOID ObpFreeTable(POBP_TABLE Table)
{
    for (ULONG i = 0; i < Table->Chunks; i++)
        ExpFree(Table->Chunk[i]);
    if (Table->Chunk)
        ExpFree(Table->Chunk);
    ExpFree(Table);
}

/* ---- Handles ----------------------------------------------------------------------------------------------------- */

/* Index of a handle value; 0 = it can be none. The low two bits are the caller's to use. */
static ULONG ObpIndexOf(HANDLE Handle)
{
    UINT64 Value = (UINT64)Handle;
    if ((Value & OBP_KERNEL_BITS) == OBP_KERNEL_BITS)
        Value &= ~OBP_KERNEL_BITS;
    return Value >> 33 ? 0 : (ULONG)(Value / 4);
}

POBP_TABLE ObpTableOf(PEPROCESS Process)
{
    return Process->ObjectTable ? Process->ObjectTable : &ObpKernelTable;
}

/* The entry that Handle names for a caller of Mode in Process; NULL = none. */
static POBP_ENTRY ObpFindHandle(PEPROCESS Process, HANDLE Handle, KPROCESSOR_MODE Mode, POBP_TABLE *Table)
{
    BOOLEAN Kernel = ((UINT64)Handle & OBP_KERNEL_BITS) == OBP_KERNEL_BITS;
    if (Kernel && Mode != KernelMode)
        return NULL;
    *Table = Kernel ? &ObpKernelTable : ObpTableOf(Process);
    return ObpTableEntry(*Table, ObpIndexOf(Handle));
}

/* docs: OBJECT_ATTRIBUTES, OBJ_EXCLUSIVE: one process only may have handles to the object. */
static NTSTATUS ObpClaim(POBP_HEADER Header, ULONG Attributes, PEPROCESS Process)
{
    USHORT Number = (USHORT)((UINT64)Process->UniqueProcessId / 4);
    if (Header->Exclusive && Header->Exclusive != Number)
        return STATUS_ACCESS_DENIED;
    if (!(Attributes & OBJ_EXCLUSIVE))
        return STATUS_SUCCESS;
    if (Attributes & OBJ_INHERIT)
        return STATUS_INVALID_PARAMETER;
    if (!Header->Exclusive && Header->HandleCount)
        return STATUS_ACCESS_DENIED;
    Header->Exclusive = Number;
    return STATUS_SUCCESS;
}

static NTSTATUS ObpMakeHandle(PEPROCESS Process, PVOID Body, ULONG Access, ULONG Attributes, ULONG Reason,
                              PHANDLE Handle)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    BOOLEAN Kernel = (Attributes & OBJ_KERNEL_HANDLE) != 0;
    POBP_TABLE Table = Kernel ? &ObpKernelTable : ObpTableOf(Process);
    NTSTATUS Status = ObpClaim(Header, Attributes, Process);
    if (NT_SUCCESS(Status))
        Status = ObpCallOpen(Body, Reason, Access);
    if (!NT_SUCCESS(Status))
        return Status;
    ULONG Index = ObpTableInsert(Table, Body, Access, Attributes & OBP_KEPT);
    if (Table == &ObpKernelTable)
        ObpTableEntry(Table, Index)->Stack = VfCaptureStack();
    Header->PointerCount++;
    Header->HandleCount++;
    Header->Type->TotalHandles++;
    *Handle = (HANDLE)((UINT64)Index * 4 | (Kernel ? OBP_KERNEL_BITS : 0));
    return STATUS_SUCCESS;
}

/* Reasons as a driver's open method is told. */
enum { ObpReasonCreate, ObpReasonOpen, ObpReasonDuplicate };

NTSTATUS ObpCreateHandle(PVOID Body, ULONG Access, ULONG Attributes, PHANDLE Handle)
{
    OBP_OPERATION Operation = {.Kind = OB_OPERATION_HANDLE_CREATE,
                               .Body = Body,
                               .Access = Access,
                               .KernelHandle = (Attributes & OBJ_KERNEL_HANDLE) != 0};
    ObpCallBefore(&Operation);
    NTSTATUS Status = ObpMakeHandle(PsGetCurrentProcess(), Body, Operation.Access, Attributes,
                                    ObpHeaderOf(Body)->HandleCount ? ObpReasonOpen : ObpReasonCreate, Handle);
    ObpCallAfter(&Operation, Status);
    return Status;
}

/* How many handles of a process name an object. */
ULONG ObpCountHandles(PEPROCESS Process, PVOID Body)
{
    POBP_TABLE Table = ObpTableOf(Process);
    ULONG Count = 0;
    for (ULONG i = 1; i < Table->Chunks * OBP_TABLE_CHUNK; i++) {
        POBP_ENTRY Entry = ObpTableEntry(Table, i);
        Count += Entry && Entry->Object == Body;
    }
    return Count;
}

/* docs: ZwClose: a temporary object's name goes with its last handle. */
VOID ObpHandleClosed(PVOID Body)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    Header->HandleCount--;
    Header->Type->TotalHandles--;
    if (Header->Type->Init.Close)
        Header->Type->Init.Close(Body, (ULONG)Header->HandleCount);
    if (Header->HandleCount == 0) {
        Header->Exclusive = 0;
        if (!Header->Permanent)
            ObpRemoveName(Body);
    }
    ObfDereferenceObject(Body);
}

static VOID ObpReportBadHandle(HANDLE Handle, UINT64 Why, PCSTR Text)
{
    VfFinding("object.invalid-handle", INVALID_KERNEL_HANDLE, (UINT64)Handle, Why, 0, 0);
    VfSubject("ZwClose");
    VfText("ZwClose given handle 0x%I64x, which is %s", (UINT64)Handle, Text);
    VfNoteCaller(NULL);
    VfCommit();
}

NTSTATUS ObpCloseHandle(HANDLE Handle, KPROCESSOR_MODE Mode)
{
    POBP_TABLE Table;
    if (Handle == ZwCurrentProcess() || Handle == ZwCurrentThread())
        return STATUS_SUCCESS; /* docs: GetCurrentProcess: closing it does nothing */
    POBP_ENTRY Entry = ObpFindHandle(PsGetCurrentProcess(), Handle, Mode, &Table);
    if (!Entry) {
        /* Windows lets no handle pass, with and without the bits of a kernel handle. */
        if (Mode == KernelMode && (ULONG_PTR)Handle << 33)
            ObpReportBadHandle(Handle, 1, "not open");
        return STATUS_INVALID_HANDLE;
    }
    PVOID Body = Entry->Object;
    if (!ObpMayClose(PsGetCurrentProcess(), Body, Handle, Mode))
        return STATUS_HANDLE_NOT_CLOSABLE;
    if (Entry->Attributes & OBP_PROTECT_CLOSE) {
        if (Mode == KernelMode)
            ObpReportBadHandle(Handle, 0, "protected from being closed");
        return STATUS_HANDLE_NOT_CLOSABLE;
    }
    ObpTableRemove(Table, ObpIndexOf(Handle));
    ObpHandleClosed(Body);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtClose(HANDLE Handle)
{
    return ObpCloseHandle(Handle, ExGetPreviousMode());
}

NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE Mode)
{
    return ObpCloseHandle(Handle, Mode);
}

/* docs: CreateProcess: a new process's copies have the values of the originals. */
VOID ObpInheritHandles(PEPROCESS From, PEPROCESS To)
{
    POBP_TABLE Source = ObpTableOf(From), Target = ObpTableOf(To);
    while (Target->Chunks < Source->Chunks)
        ObpGrowTable(Target);
    Target->FirstFree = Target->LastFree = 0;
    for (ULONG i = 1; i < Target->Chunks * OBP_TABLE_CHUNK; i++) {
        POBP_ENTRY Old = ObpTableEntry(Source, i), New = &Target->Chunk[i / OBP_TABLE_CHUNK][i % OBP_TABLE_CHUNK];
        if (New->Object)
            continue;
        if (!Old || !(Old->Attributes & OBJ_INHERIT)) {
            ObpFreeIndex(Target, i);
            continue;
        }
        *New = *Old;
        Target->Count++;
        ObpHeaderOf(Old->Object)->PointerCount++;
        ObpHeaderOf(Old->Object)->HandleCount++;
        ObpTypeOf(Old->Object)->TotalHandles++;
    }
}

static PVOID ObpPseudoHandle(HANDLE Handle)
{
    if (Handle == ZwCurrentProcess())
        return PsGetCurrentProcess();
    return Handle == ZwCurrentThread() ? PsGetCurrentThread() : NULL;
}

NTSTATUS NTAPI ObReferenceObjectByHandle(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type, KPROCESSOR_MODE Mode,
                                         PVOID *Object, POBJECT_HANDLE_INFORMATION Information)
{
    POBP_ENTRY Entry = NULL;
    POBP_TABLE Table;
    PVOID Body = ObpPseudoHandle(Handle);
    *Object = NULL;
    if (!Body) {
        Entry = ObpFindHandle(PsGetCurrentProcess(), Handle, Mode, &Table);
        if (!Entry)
            return STATUS_INVALID_HANDLE;
        Body = Entry->Object;
    }
    if (Type && ObpTypeOf(Body) != Type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (Entry && Mode != KernelMode && (Access & ~Entry->Access))
        return STATUS_ACCESS_DENIED;
    if (Information) {
        Information->HandleAttributes = Entry ? Entry->Attributes : 0;
        Information->GrantedAccess = Entry ? Entry->Access : ObpTypeOf(Body)->Init.Mapping.GenericAll;
    }
    ObpHeaderOf(Body)->PointerCount++;
    *Object = Body;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ObReferenceObjectByHandleWithTag(HANDLE Handle, ACCESS_MASK Access, POBJECT_TYPE Type,
                                                KPROCESSOR_MODE Mode, ULONG Tag, PVOID *Object,
                                                POBJECT_HANDLE_INFORMATION Information)
{
    return ObReferenceObjectByHandle(Handle, Access, Type, Mode, Object, Information);
}

NTSTATUS NTAPI ObOpenObjectByPointer(PVOID Object, ULONG Attributes, PACCESS_STATE AccessState, ACCESS_MASK Access,
                                     POBJECT_TYPE Type, KPROCESSOR_MODE Mode, PHANDLE Handle)
{
    ULONG Granted;
    *Handle = NULL;
    /* docs: ObOpenObjectByPointer: for user mode the type must be given */
    if ((Type || Mode != KernelMode) && ObpTypeOf(Object) != Type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    if (AccessState)
        Access = AccessState->RemainingDesiredAccess | AccessState->PreviouslyGrantedAccess;
    NTSTATUS Status = ObpGrantAccess(Object, Access, Attributes & OBJ_FORCE_ACCESS_CHECK ? UserMode : Mode, &Granted);
    return NT_SUCCESS(Status) ? ObpCreateHandle(Object, Granted, Attributes, Handle) : Status;
}

NTSTATUS NTAPI ObOpenObjectByPointerWithTag(PVOID Object, ULONG Attributes, PACCESS_STATE AccessState,
                                            ACCESS_MASK Access, POBJECT_TYPE Type, KPROCESSOR_MODE Mode, ULONG Tag,
                                            PHANDLE Handle)
{
    return ObOpenObjectByPointer(Object, Attributes, AccessState, Access, Type, Mode, Handle);
}

/* Undocumented but widely used. */
NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING Name, ULONG Attributes, PACCESS_STATE AccessState,
                                       ACCESS_MASK Access, POBJECT_TYPE Type, KPROCESSOR_MODE Mode, PVOID Context,
                                       PVOID *Object)
{
    ULONG Granted;
    PVOID Found;
    *Object = NULL;
    NTSTATUS Status = ObpLookupName(Name, Attributes, Type, Access, Context, &Found);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObpGrantAccess(Found, Access, Mode, &Granted);
    if (NT_SUCCESS(Status))
        *Object = Found;
    else
        ObfDereferenceObject(Found);
    return Status;
}

NTSTATUS NTAPI ObOpenObjectByName(POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, KPROCESSOR_MODE Mode,
                                  PACCESS_STATE AccessState, ACCESS_MASK Access, PVOID Context, PHANDLE Handle)
{
    return ObpOpen(Attributes, Type, Access, Context, Handle);
}

BOOLEAN NTAPI ObIsKernelHandle(HANDLE Handle)
{
    return ((UINT64)Handle & OBP_KERNEL_BITS) == OBP_KERNEL_BITS && Handle != ZwCurrentProcess() &&
           Handle != ZwCurrentThread();
}

/* What class 4 of ZwQueryObject and ZwSetInformationObject is about. */
#define OBP_HANDLE_FLAGS 4
typedef struct _OBP_HANDLE_FLAGS_INFORMATION {
    BOOLEAN Inherit, ProtectFromClose;
} OBP_HANDLE_FLAGS_INFORMATION, *POBP_HANDLE_FLAGS;

/* ---- Services on handles ----------------------------------------------------------------------------------------- */

VOID NTAPI ObMakeTemporaryObject(PVOID Object)
{
    POBP_HEADER Header = ObpHeaderOf(Object);
    Header->Permanent = FALSE;
    if (Header->HandleCount == 0)
        ObpRemoveName(Object);
}

NTSTATUS NTAPI NtMakeTemporaryObject(HANDLE Handle)
{
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, DELETE, NULL, KernelMode, &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    ObMakeTemporaryObject(Object);
    ObfDereferenceObject(Object);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtMakePermanentObject(HANDLE Handle)
{
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    ObpHeaderOf(Object)->Permanent = TRUE;
    ObfDereferenceObject(Object);
    return STATUS_SUCCESS;
}

/* Of a file's name that does not fit the beginning is returned. */
NTSTATUS ObpQueryName(PVOID Object, POBJECT_NAME_INFORMATION Information, ULONG Bytes, PULONG Returned)
{
    POBJECT_TYPE Type = ObpTypeOf(Object);
    ULONG Length = 0;
    ULONG Room = Bytes > sizeof(*Information) + sizeof(WCHAR) ? Bytes - sizeof(*Information) - sizeof(WCHAR) : 0;
    NTSTATUS Status = (Type->Init.QueryName ? Type->Init.QueryName : ObpFullName)(Object, (PWSTR)(Information + 1),
                                                                                  Room & ~1u, &Length);
    *Returned = Length ? sizeof(*Information) + Length + sizeof(WCHAR) : sizeof(*Information);
    if (Bytes < sizeof(*Information))
        return STATUS_INFO_LENGTH_MISMATCH;
    if (!NT_SUCCESS(Status) && Status != STATUS_BUFFER_OVERFLOW)
        return Status;
    Length = min(Length, Room & ~1u);
    Information->Name.Length = (USHORT)Length;
    Information->Name.MaximumLength = (USHORT)(Length ? Length + sizeof(WCHAR) : 0);
    Information->Name.Buffer = Length ? (PWSTR)(Information + 1) : NULL;
    if (Length)
        Information->Name.Buffer[Length / sizeof(WCHAR)] = 0;
    return Status;
}

/* docs: ObQueryNameString. */
NTSTATUS NTAPI ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION Information, ULONG Bytes, PULONG Returned)
{
    POBJECT_TYPE Type = ObpTypeOf(Object);
    return (Type->Init.AskName ? Type->Init.AskName : ObpQueryName)(Object, Information, Bytes, Returned);
}

static NTSTATUS ObpQueryBasic(PVOID Object, POBP_ENTRY Entry, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    POBP_HEADER Header = ObpHeaderOf(Object);
    ULONG Attributes = (Entry ? Entry->Attributes & OBJ_INHERIT : 0) | (Header->Permanent ? OBJ_PERMANENT : 0) |
                       (Header->Exclusive ? OBJ_EXCLUSIVE : 0);
    ULONG Name = 0;
    ObpFullName(Object, NULL, 0, &Name);
    /* the pointer this service itself holds is counted, as Windows does */
    OBJECT_BASIC_INFORMATION Information = {
        .Attributes = Attributes,
        .GrantedAccess = Entry ? Entry->Access : 0,
        .HandleCount = (ULONG)Header->HandleCount,
        .PointerCount = (ULONG)Header->PointerCount,
        .NameInfoSize = Name ? sizeof(OBJECT_NAME_INFORMATION) + Name + sizeof(WCHAR) : 0,
        .TypeInfoSize = sizeof(PUBLIC_OBJECT_TYPE_INFORMATION) + Header->Type->Name.Length + sizeof(WCHAR)};
    C_ASSERT(sizeof(Information) == sizeof(PUBLIC_OBJECT_BASIC_INFORMATION));
    if (Returned)
        *Returned = sizeof(Information);
    if (Bytes != sizeof(Information))
        return STATUS_INFO_LENGTH_MISMATCH;
    RtlCopyMemory(Buffer, &Information, sizeof(Information));
    return STATUS_SUCCESS;
}

static NTSTATUS ObpQueryFlags(POBP_ENTRY Entry, POBP_HANDLE_FLAGS Flags, ULONG Bytes, PULONG Returned)
{
    if (Returned)
        *Returned = sizeof(*Flags);
    if (Bytes != sizeof(*Flags))
        return STATUS_INFO_LENGTH_MISMATCH;
    Flags->Inherit = Entry && (Entry->Attributes & OBJ_INHERIT);
    Flags->ProtectFromClose = Entry && (Entry->Attributes & OBP_PROTECT_CLOSE);
    return STATUS_SUCCESS;
}

static NTSTATUS ObpQueryType(PVOID Object, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PUNICODE_STRING Name = &ObpTypeOf(Object)->Name;
    PPUBLIC_OBJECT_TYPE_INFORMATION Information = Buffer;
    ULONG Need = sizeof(*Information) + Name->Length + sizeof(WCHAR);
    if (Returned)
        *Returned = Need;
    if (Bytes < Need)
        return STATUS_INFO_LENGTH_MISMATCH;
    RtlZeroMemory(Information, sizeof(*Information));
    Information->TypeName.Buffer = (PWSTR)(Information + 1);
    Information->TypeName.Length = Name->Length;
    Information->TypeName.MaximumLength = Name->Length + sizeof(WCHAR);
    RtlCopyMemory(Information->TypeName.Buffer, Name->Buffer, Name->Length + sizeof(WCHAR));
    return STATUS_SUCCESS;
}

/* docs: ZwQueryObject. */
NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    POBP_TABLE Table;
    PVOID Object;
    ULONG Need;
    if ((ULONG)Class > OBP_HANDLE_FLAGS || Class == 3 /* ObjectTypesInformation: of all types, not done */)
        return STATUS_INVALID_INFO_CLASS;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, ExGetPreviousMode(), &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    POBP_ENTRY Entry = ObpFindHandle(PsGetCurrentProcess(), Handle, ExGetPreviousMode(), &Table);
    switch ((ULONG)Class) {
    case ObjectBasicInformation:
        Status = ObpQueryBasic(Object, Entry, Buffer, Bytes, Returned);
        break;
    case 1: /* ObjectNameInformation */
        Status = ObQueryNameString(Object, Buffer, Bytes, Returned ? Returned : &Need);
        break;
    case ObjectTypeInformation:
        Status = ObpQueryType(Object, Buffer, Bytes, Returned);
        break;
    default:
        Status = ObpQueryFlags(Entry, Buffer, Bytes, Returned);
    }
    ObfDereferenceObject(Object);
    return Status;
}

/* Undocumented: whether a handle is inherited, and protected from being closed. */
NTSTATUS NTAPI ObSetHandleAttributes(HANDLE Handle, POBP_HANDLE_FLAGS Flags, KPROCESSOR_MODE Mode)
{
    POBP_TABLE Table;
    POBP_ENTRY Entry = ObpFindHandle(PsGetCurrentProcess(), Handle, Mode, &Table);
    if (!Entry)
        return STATUS_INVALID_HANDLE;
    Entry->Attributes = (Flags->Inherit ? OBJ_INHERIT : 0) | (Flags->ProtectFromClose ? OBP_PROTECT_CLOSE : 0);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtSetInformationObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes)
{
    if ((ULONG)Class != OBP_HANDLE_FLAGS)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes != sizeof(OBP_HANDLE_FLAGS_INFORMATION))
        return STATUS_INFO_LENGTH_MISMATCH;
    return ObSetHandleAttributes(Handle, Buffer, ExGetPreviousMode());
}

/* Undocumented: the first handle of a process to an object (NULL = any) of a type (NULL = any). */
BOOLEAN NTAPI ObFindHandleForObject(PEPROCESS Process, PVOID Object, POBJECT_TYPE Type, POBJECT_HANDLE_INFORMATION Like,
                                    PHANDLE Handle)
{
    POBP_TABLE Table = ObpTableOf(Process);
    for (ULONG i = 1; i < Table->Chunks * OBP_TABLE_CHUNK; i++) {
        POBP_ENTRY Entry = ObpTableEntry(Table, i);
        if (!Entry || (Object && Entry->Object != Object) || (Type && ObpTypeOf(Entry->Object) != Type) ||
            (Like && (Like->HandleAttributes != Entry->Attributes || Like->GrantedAccess != Entry->Access)))
            continue;
        *Handle = (HANDLE)((UINT64)i * 4 | (Table == &ObpKernelTable ? OBP_KERNEL_BITS : 0));
        return TRUE;
    }
    return FALSE;
}

/* ---- Duplicates -------------------------------------------------------------------------------------------------- */

static NTSTATUS ObpDuplicate(POBP_ENTRY Entry, PVOID Body, PEPROCESS From, PEPROCESS To, PHANDLE Target,
                             ACCESS_MASK Access, ULONG Attributes, ULONG Options)
{
    ULONG Granted = Entry ? Entry->Access : ObpTypeOf(Body)->Init.Mapping.GenericAll, Wanted = Granted;
    if (To->Exited)
        return STATUS_PROCESS_IS_TERMINATING; /* nobody would close it any more */
    if (Options & DUPLICATE_SAME_ATTRIBUTES)
        Attributes = (Entry ? Entry->Attributes : 0) | (Attributes & OBJ_KERNEL_HANDLE);
    if (!(Options & DUPLICATE_SAME_ACCESS)) {
        /* what the source handle has is copied; more is checked as an opening */
        RtlMapGenericMask(&Access, &ObpTypeOf(Body)->Init.Mapping);
        Wanted = Access;
        if ((Access & ~Granted) || (Access & MAXIMUM_ALLOWED)) {
            NTSTATUS Status = ObpGrantAccess(Body, Access, ExGetPreviousMode(), &Wanted);
            if (!NT_SUCCESS(Status))
                return Status;
        }
    }
    OBP_OPERATION Operation = {.Kind = OB_OPERATION_HANDLE_DUPLICATE,
                               .Body = Body,
                               .Access = Wanted,
                               .KernelHandle = (Attributes & OBJ_KERNEL_HANDLE) != 0,
                               .Source = From,
                               .Target = To};
    ObpCallBefore(&Operation);
    NTSTATUS Status = ObpMakeHandle(To, Body, Operation.Access, Attributes, ObpReasonDuplicate, Target);
    ObpCallAfter(&Operation, Status);
    return Status;
}

/* A process to duplicate from or to. */
static NTSTATUS ObpProcessOf(HANDLE Handle, PEPROCESS *Process)
{
    return ObReferenceObjectByHandle(Handle, PROCESS_DUP_HANDLE, PspProcessType, ExGetPreviousMode(), (PVOID *)Process,
                                     NULL);
}

/* docs: ZwDuplicateObject: the source is closed also where the duplication fails. */
NTSTATUS NTAPI NtDuplicateObject(HANDLE FromProcess, HANDLE Source, HANDLE ToProcess, PHANDLE Target,
                                 ACCESS_MASK Access, ULONG Attributes, ULONG Options)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PEPROCESS From, To = NULL;
    POBP_TABLE Table;
    if (Target)
        *Target = NULL;
    NTSTATUS Status = ObpProcessOf(FromProcess, &From);
    if (!NT_SUCCESS(Status))
        return Status;
    POBP_ENTRY Entry = ObpFindHandle(From, Source, Mode, &Table);
    PVOID Body = Entry ? Entry->Object : From == PsGetCurrentProcess() ? ObpPseudoHandle(Source) : NULL;
    if (!Body)
        Status = STATUS_INVALID_HANDLE;
    else if (Target) {
        ObfReferenceObject(Body);
        Status = ObpProcessOf(ToProcess, &To);
        if (NT_SUCCESS(Status)) {
            if (Mode != KernelMode)
                Attributes &= ~OBJ_KERNEL_HANDLE;
            Status = ObpDuplicate(Entry, Body, From, To, Target, Access, Attributes, Options);
            ObfDereferenceObject(To);
        }
        ObfDereferenceObject(Body);
    }
    Entry = Options & DUPLICATE_CLOSE_SOURCE ? ObpFindHandle(From, Source, Mode, &Table) : NULL;
    if (Entry && ObpMayClose(From, Entry->Object, Source, Mode) && !(Entry->Attributes & OBP_PROTECT_CLOSE)) {
        KAPC_STATE State;
        Body = Entry->Object;
        ObpTableRemove(Table, ObpIndexOf(Source));
        KeStackAttachProcess((PKPROCESS)From, &State); /* drivers see the end in the process whose handle it was */
        ObpHandleClosed(Body);
        KeUnstackDetachProcess(&State);
    }
    ObfDereferenceObject(From);
    return Status;
}
