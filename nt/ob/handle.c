/*
 * Handles.
 *
 * A handle is an index into a table, times four. Each user process has a table; the System process's is the kernel's,
 * whose handles carry the upper bits set when they were made with OBJ_KERNEL_HANDLE: those are valid everywhere, for
 * kernel mode. In the System process itself both forms name the same entry. -1 and -2 are the current process and
 * thread and lie in no table.
 *
 * Closing what is no handle is a finding (INVALID_KERNEL_HANDLE), as Windows does it for kernel mode.
 */
#include "nt.h"

#define OBP_HANDLE_TAG 'dHbO'
#define OBP_KERNEL_BITS 0xffffffff80000000ull

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

static BOOLEAN ObpIsKernel(HANDLE Handle)
{
    return ((UINT64)Handle & OBP_KERNEL_BITS) == OBP_KERNEL_BITS;
}

/* Where a handle is looked up: in the process the thread is in. */
static POBP_TABLE ObpTableOf(HANDLE Handle)
{
    POBP_TABLE Table = ObpIsKernel(Handle) ? NULL : PspCurrentProcess()->ObjectTable;
    return Table ? Table : &ObpKernelTable;
}

NTSTATUS ObpCreateHandle(PVOID Body, ULONG Access, ULONG Attributes, PHANDLE Handle)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    POBP_TABLE Table = Attributes & OBJ_KERNEL_HANDLE ? &ObpKernelTable : ObpTableOf(NULL);
    ULONG Index = ObpTableInsert(Table, Body, Access, Attributes);
    Header->PointerCount++;
    Header->HandleCount++;
    Header->Type->TotalHandles++;
    *Handle = (HANDLE)((UINT64)Index * 4 | (Attributes & OBJ_KERNEL_HANDLE ? OBP_KERNEL_BITS : 0));
    return STATUS_SUCCESS;
}

/* docs: ZwClose: a temporary object's name goes with its last handle. */
VOID ObpHandleClosed(PVOID Body)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    Header->HandleCount--;
    Header->Type->TotalHandles--;
    if (Header->Type->Init.Close)
        Header->Type->Init.Close(Body, (ULONG)Header->HandleCount);
    if (Header->HandleCount == 0 && !Header->Permanent)
        ObpRemoveName(Body);
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

NTSTATUS NTAPI NtClose(HANDLE Handle)
{
    return ObpCloseHandle(Handle, ExGetPreviousMode());
}

NTSTATUS ObpCloseHandle(HANDLE Handle, KPROCESSOR_MODE Mode)
{
    ULONG Index = ObpIndexOf(Handle);
    BOOLEAN User = Mode != KernelMode;
    POBP_TABLE Table = ObpTableOf(Handle);
    POBP_ENTRY Entry = User && ObpIsKernel(Handle) ? NULL : ObpTableEntry(Table, Index);
    if (!Entry) {
        /* Windows lets these three pass. */
        if (!User && Handle && Handle != ZwCurrentProcess() && Handle != ZwCurrentThread())
            ObpReportBadHandle(Handle, 1, "not open");
        return STATUS_INVALID_HANDLE;
    }
    if (Entry->Attributes & 0x1 /* protected from close */) {
        if (!User)
            ObpReportBadHandle(Handle, 0, "protected from being closed");
        return STATUS_HANDLE_NOT_CLOSABLE;
    }
    PVOID Body = Entry->Object;
    ObpTableRemove(Table, Index);
    ObpHandleClosed(Body);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ObCloseHandle(HANDLE Handle, KPROCESSOR_MODE Mode)
{
    return ObpCloseHandle(Handle, Mode);
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
    PVOID Body = ObpPseudoHandle(Handle);
    *Object = NULL;
    if (!Body) {
        if (Mode == KernelMode || !ObpIsKernel(Handle))
            Entry = ObpTableEntry(ObpTableOf(Handle), ObpIndexOf(Handle));
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
    if (Type && ObpTypeOf(Object) != Type)
        return STATUS_OBJECT_TYPE_MISMATCH;
    NTSTATUS Status = ObpCaptureAccess(ObpTypeOf(Object), Access, &Granted);
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
    *Object = NULL;
    return ObpLookupName(Name, Attributes, Type, Access, Context, Object);
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

/* docs: ObQueryNameString. */
NTSTATUS NTAPI ObQueryNameString(PVOID Object, POBJECT_NAME_INFORMATION Information, ULONG Bytes, PULONG Returned)
{
    ULONG Length = 0;
    ULONG Room = Bytes > sizeof(*Information) + sizeof(WCHAR) ? Bytes - sizeof(*Information) - sizeof(WCHAR) : 0;
    NTSTATUS Status = ObpFullName(Object, (PWSTR)(Information + 1), Room, &Length);
    *Returned = Length ? sizeof(*Information) + Length + sizeof(WCHAR) : sizeof(*Information);
    if (!NT_SUCCESS(Status) || Bytes < sizeof(*Information))
        return STATUS_INFO_LENGTH_MISMATCH;
    Information->Name.Length = (USHORT)Length;
    Information->Name.MaximumLength = (USHORT)(Length ? Length + sizeof(WCHAR) : 0);
    Information->Name.Buffer = Length ? (PWSTR)(Information + 1) : NULL;
    if (Length)
        Information->Name.Buffer[Length / sizeof(WCHAR)] = 0;
    return STATUS_SUCCESS;
}

static NTSTATUS ObpQueryBasic(PVOID Object, POBP_ENTRY Entry, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    POBP_HEADER Header = ObpHeaderOf(Object);
    PUBLIC_OBJECT_BASIC_INFORMATION Information = {.Attributes = Entry ? Entry->Attributes : 0,
                                                   .GrantedAccess = Entry ? Entry->Access : 0,
                                                   .HandleCount = (ULONG)Header->HandleCount,
                                                   .PointerCount = (ULONG)Header->PointerCount - 1};
    if (Returned)
        *Returned = sizeof(Information);
    if (Bytes != sizeof(Information))
        return STATUS_INFO_LENGTH_MISMATCH;
    RtlCopyMemory(Buffer, &Information, sizeof(Information));
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

NTSTATUS NTAPI NtQueryObject(HANDLE Handle, OBJECT_INFORMATION_CLASS Class, PVOID Buffer, ULONG Bytes, PULONG Returned)
{
    PVOID Object;
    ULONG Need;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    switch ((ULONG)Class) {
    case ObjectBasicInformation:
        Status = ObpQueryBasic(Object, ObpTableEntry(ObpTableOf(Handle), ObpIndexOf(Handle)), Buffer, Bytes, Returned);
        break;
    case 1: /* ObjectNameInformation */
        Status = ObQueryNameString(Object, Buffer, Bytes, Returned ? Returned : &Need);
        break;
    case ObjectTypeInformation:
        Status = ObpQueryType(Object, Buffer, Bytes, Returned);
        break;
    default:
        Status = STATUS_INVALID_INFO_CLASS;
    }
    ObfDereferenceObject(Object);
    return Status;
}

/* docs: ZwDuplicateObject. Each handle is looked up, made and closed in its own process, by being there. */
static NTSTATUS ObpDuplicate(PEPROCESS From, HANDLE Source, PEPROCESS To, PHANDLE Target, ACCESS_MASK Access, ULONG Attributes,
                             ULONG Options, KPROCESSOR_MODE Mode)
{
    OBJECT_HANDLE_INFORMATION Held;
    KAPC_STATE State;
    HANDLE Made = NULL;
    PVOID Object;
    KeStackAttachProcess(&From->Pcb, &State);
    NTSTATUS Status = ObReferenceObjectByHandle(Source, 0, NULL, Mode, &Object, &Held);
    if (NT_SUCCESS(Status) && (Options & DUPLICATE_CLOSE_SOURCE))
        ObpCloseHandle(Source, Mode);
    KeUnstackDetachProcess(&State);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Target) {
        if (Options & DUPLICATE_SAME_ATTRIBUTES)
            Attributes = Held.HandleAttributes;
        if (Options & DUPLICATE_SAME_ACCESS)
            Access = Held.GrantedAccess;
        else
            ObpCaptureAccess(ObpTypeOf(Object), Access, &Access);
        if (Mode != KernelMode)
            Attributes &= ~(ULONG)OBJ_KERNEL_HANDLE;
        KeStackAttachProcess(&To->Pcb, &State);
        Status = ObpCreateHandle(Object, Access, Attributes, &Made);
        KeUnstackDetachProcess(&State);
        *Target = Made;
    }
    ObfDereferenceObject(Object);
    return Status;
}

NTSTATUS NTAPI NtDuplicateObject(HANDLE FromProcess, HANDLE Source, HANDLE ToProcess, PHANDLE Target, ACCESS_MASK Access,
                                 ULONG Attributes, ULONG Options)
{
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PEPROCESS From, To = NULL;
    NTSTATUS Status = ObReferenceObjectByHandle(FromProcess, 0x40 /* PROCESS_DUP_HANDLE */, PspProcessType, Mode, (PVOID *)&From, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Target)
        Status = ObReferenceObjectByHandle(ToProcess, 0x40, PspProcessType, Mode, (PVOID *)&To, NULL);
    if (NT_SUCCESS(Status))
        Status = ObpDuplicate(From, Source, To, Target, Access, Attributes, Options, Mode);
    if (To)
        ObfDereferenceObject(To);
    ObfDereferenceObject(From);
    return Status;
}
