/*
 * Objects and their reference counts.
 *
 * Every reference that is given up must have been taken: a count that falls below what handles still hold, or that is
 * lowered on an object already dead, is a finding (REFERENCE_BY_POINTER), earlier than Windows would notice.
 *
 * The last reference may go at DISPATCH_LEVEL; deletion may want to wait, so it is then left to a system worker.
 * Not done here: quotas, session name spaces.
 */
#include "nt.h"

#define OBP_TAG 'tjbO'

POBJECT_TYPE ObpTypeType, ObpDirectoryType, ObpSymbolicLinkType, ObpEventType, ObpSemaphoreType, ObpMutantType,
    ObpTimerType;

#define OBP_TYPES 64

/* A type is an object too: the directory \ObjectTypes has them all. */
static struct {
    OBP_HEADER Header;
    struct _OBJECT_TYPE Type;
} ObpTypes[OBP_TYPES];
static ULONG ObpTypeCount;
static BOOLEAN ObpTypesHaveNames;

static VOID ObpNameType(POBJECT_TYPE Type)
{
    WCHAR Text[96] = L"\\ObjectTypes\\";
    UNICODE_STRING Name = {.Length = 13 * sizeof(WCHAR), .MaximumLength = sizeof(Text), .Buffer = Text};
    if (NT_SUCCESS(RtlAppendUnicodeStringToString(&Name, &Type->Name)))
        ObpInsertName(Type, &Name, OBJ_PERMANENT);
}

static POBP_HEADER ObpDead, ObpLastDead;
static WORK_QUEUE_ITEM ObpDeadItem;
static BOOLEAN ObpDeadQueued;

POBJECT_TYPE ObpCreateType(const OB_TYPE_INIT *Init)
{
    if (ObpTypeCount == OBP_TYPES)
        return NULL;
    POBJECT_TYPE Type = &ObpTypes[ObpTypeCount].Type;
    ObpTypes[ObpTypeCount++].Header = (OBP_HEADER){.PointerCount = 1, .Type = ObpTypeType ? ObpTypeType : Type};
    InitializeListHead(&Type->TypeList);
    Type->Index = ObpTypeCount + 1; /* Windows' begin with 2 */
    Type->Init = *Init;
    RtlInitUnicodeString(&Type->Name, Init->Name);
    if (ObpTypesHaveNames)
        ObpNameType(Type);
    return Type;
}

VOID ObInitialize(VOID)
{
    ObpInitializeNames();
    ObpInitializeEvents();
    ObpInitializeTimers();
    ObpInitializeMoreTypes();
    ObpSecureDirectories();
    for (ULONG i = 0; i < ObpTypeCount; i++)
        ObpNameType(&ObpTypes[i].Type);
    ObpTypesHaveNames = TRUE;
}

PVOID ObpInitializeObject(POBJECT_TYPE Type, PVOID Memory)
{
    POBP_HEADER Header = Memory;
    Header->PointerCount = 1;
    Header->Type = Type;
    Header->CreatedBy = VfCaptureStack();
    Type->TotalObjects++;
    return Header + 1;
}

NTSTATUS ObpAllocateObject(POBJECT_TYPE Type, ULONG BodyBytes, PVOID *Body)
{
    SIZE_T Bytes = sizeof(OBP_HEADER) + (Type->Init.BodyBytes ? Type->Init.BodyBytes : BodyBytes);
    PVOID Memory = ExpAllocate(Bytes, OBP_TAG);
    RtlZeroMemory(Memory, Bytes);
    *Body = ObpInitializeObject(Type, Memory);
    return STATUS_SUCCESS;
}

/* ---- The end of an object ---------------------------------------------------------------------------------------- */

static VOID ObpDelete(POBP_HEADER Header)
{
    POBJECT_TYPE Type = Header->Type;
    if (Header->Created)
        ObpForgetCreation(Header + 1);
    ObpDeleteSecurity(Header + 1);
    if (Type->Init.Delete)
        Type->Init.Delete(Header + 1);
    ObpReleaseSecurity(Header);
    Type->TotalObjects--;
    if (Type->Init.Free)
        Type->Init.Free(Header);
    else
        ExpFree(Header);
}

static VOID NTAPI ObpDeleteDead(PVOID Context)
{
    ObpDeadQueued = FALSE;
    while (ObpDead) {
        POBP_HEADER Header = ObpDead;
        ObpDead = Header->NextDead;
        ObpDelete(Header);
    }
}

static VOID ObpDeleteLater(POBP_HEADER Header)
{
    Header->NextDead = NULL;
    if (ObpDead)
        ObpLastDead->NextDead = Header;
    else
        ObpDead = Header;
    ObpLastDead = Header;
    if (!ObpDeadQueued) {
        ObpDeadQueued = TRUE;
        ExInitializeWorkItem(&ObpDeadItem, ObpDeleteDead, NULL);
        ExQueueWorkItem(&ObpDeadItem, CriticalWorkQueue);
    }
}

static VOID ObpReportOverDereference(POBP_HEADER Header)
{
    CHAR Name[128], Type[32];
    PVOID Body = Header + 1;
    ObpNameOf(Body, Name, sizeof(Name));
    RtlpToUtf8(Type, sizeof(Type), Header->Type->Name.Buffer, Header->Type->Name.Length / sizeof(WCHAR));
    VfFinding("object.over-dereference", REFERENCE_BY_POINTER, (UINT64)Header->Type, (UINT64)Body, 0, 0);
    VfSubject(Type);
    VfText("%s object %s%sdereferenced more often than referenced", Type, Name, *Name ? " " : "");
    VfNoteCaller(NULL);
    if (Header->CreatedBy)
        VfNote(DOOR_NOTE_OBJECT, Header->CreatedBy, Body, NULL, "The object was created at:");
    VfCommit();
}

static LONG_PTR ObpDereference(PVOID Body, BOOLEAN Defer)
{
    POBP_HEADER Header = ObpHeaderOf(Body);
    LONG_PTR Floor = Header->HandleCount + (Header->Name != NULL);
    if (Header->Dead || Header->PointerCount <= Floor) {
        ObpReportOverDereference(Header);
        return Header->PointerCount;
    }
    LONG_PTR Left = --Header->PointerCount;
    if (Left == 0) {
        Header->Dead = TRUE;
        if (Defer || KeGetCurrentIrql() > PASSIVE_LEVEL)
            ObpDeleteLater(Header);
        else
            ObpDelete(Header);
    }
    return Left;
}

/* ---- Exports ----------------------------------------------------------------------------------------------------- */

LONG_PTR FASTCALL ObfReferenceObject(PVOID Object)
{
    return ++ObpHeaderOf(Object)->PointerCount;
}

LONG_PTR FASTCALL ObfReferenceObjectWithTag(PVOID Object, ULONG Tag)
{
    return ++ObpHeaderOf(Object)->PointerCount;
}

LONG_PTR FASTCALL ObfDereferenceObject(PVOID Object)
{
    return ObpDereference(Object, FALSE);
}

LONG_PTR FASTCALL ObfDereferenceObjectWithTag(PVOID Object, ULONG Tag)
{
    return ObpDereference(Object, FALSE);
}

VOID NTAPI ObDereferenceObjectDeferDelete(PVOID Object)
{
    ObpDereference(Object, TRUE);
}

VOID NTAPI ObDereferenceObjectDeferDeleteWithTag(PVOID Object, ULONG Tag)
{
    ObpDereference(Object, TRUE);
}

/* Takes a reference unless the last one is gone already (documented for lists whose objects remove themselves). */
BOOLEAN NTAPI ObReferenceObjectSafe(PVOID Object)
{
    POBP_HEADER Header = ObpHeaderOf(Object);
    if (Header->PointerCount <= 0)
        return FALSE;
    Header->PointerCount++;
    return TRUE;
}

NTSTATUS NTAPI ObReferenceObjectByPointer(PVOID Object, ACCESS_MASK Access, POBJECT_TYPE Type, KPROCESSOR_MODE Mode)
{
    POBP_HEADER Header = ObpHeaderOf(Object);
    /* docs: ObReferenceObjectByPointer: a type must be given for user mode; a symbolic link is never accepted there. */
    if (Header->Type != Type && (Mode != KernelMode || Type != NULL))
        return STATUS_OBJECT_TYPE_MISMATCH;
    Header->PointerCount++;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ObReferenceObjectByPointerWithTag(PVOID Object, ACCESS_MASK Access, POBJECT_TYPE Type,
                                                 KPROCESSOR_MODE Mode, ULONG Tag)
{
    return ObReferenceObjectByPointer(Object, Access, Type, Mode);
}

/* Undocumented but widely used: the type of an object. */
POBJECT_TYPE NTAPI ObGetObjectType(PVOID Object)
{
    return ObpTypeOf(Object);
}

PVOID ObpWaitableOf(PVOID Body)
{
    POBJECT_TYPE Type = ObpTypeOf(Body);
    return Type->Init.Waitable ? (PUCHAR)Body + Type->Init.WaitOffset : NULL;
}

/* MAXIMUM_ALLOWED and generic rights, as granted to kernel mode: everything asked for. */
NTSTATUS ObpCaptureAccess(POBJECT_TYPE Type, ULONG Desired, PULONG Granted)
{
    ULONG Access = Desired;
    RtlMapGenericMask(&Access, &Type->Init.Mapping);
    if (Access & MAXIMUM_ALLOWED)
        Access = (Access & ~MAXIMUM_ALLOWED) | Type->Init.Mapping.GenericAll;
    *Granted = Access;
    return STATUS_SUCCESS;
}
