/*
 * Contexts that filters hang on streams, files and file objects, and extra create parameters.
 * (docs: FsRtlInsertPerStreamContext, FsRtlInsertPerFileContext, FsRtlAllocateExtraCreateParameter)
 *
 * The three kinds of context begin alike (links, owner, instance), so one look-up serves them.
 */
#include "nt.h"

static PFSRTL_PER_STREAM_CONTEXT FsRtlpFindContext(PLIST_ENTRY List, PVOID Owner, PVOID Instance)
{
    for (PLIST_ENTRY Entry = List->Flink; Entry != List; Entry = Entry->Flink) {
        PFSRTL_PER_STREAM_CONTEXT Context = CONTAINING_RECORD(Entry, FSRTL_PER_STREAM_CONTEXT, Links);
        if ((!Owner || Context->OwnerId == Owner) && (!Instance || Context->InstanceId == Instance))
            return Context;
    }
    return NULL;
}

static PFSRTL_PER_STREAM_CONTEXT FsRtlpTakeContext(PLIST_ENTRY List, PVOID Owner, PVOID Instance)
{
    PFSRTL_PER_STREAM_CONTEXT Context = FsRtlpFindContext(List, Owner, Instance);
    if (Context)
        RemoveEntryList(&Context->Links);
    return Context;
}

static VOID FsRtlpFreeContexts(PLIST_ENTRY List)
{
    while (!IsListEmpty(List)) {
        PFSRTL_PER_STREAM_CONTEXT Context = CONTAINING_RECORD(RemoveHeadList(List), FSRTL_PER_STREAM_CONTEXT, Links);
        VF_CALLBACK Callback;
        IopEnter(&Callback, "FREE_FUNCTION", "free routine of a context", (PVOID)(ULONG_PTR)Context->FreeCallback,
                 Context);
        Context->FreeCallback(Context);
        VfLeaveCallback(&Callback);
    }
}

/* ---- Streams --------------------------------------------------------------------------------------------------------
 */

static BOOLEAN FsRtlpHasContexts(PFSRTL_ADVANCED_FCB_HEADER Header)
{
    return Header && (Header->Flags2 & FSRTL_FLAG2_SUPPORTS_FILTER_CONTEXTS);
}

NTSTATUS NTAPI FsRtlInsertPerStreamContext(PFSRTL_ADVANCED_FCB_HEADER Header, PFSRTL_PER_STREAM_CONTEXT Context)
{
    if (!FsRtlpHasContexts(Header))
        return STATUS_INVALID_DEVICE_REQUEST;
    InsertHeadList(&Header->FilterContexts, &Context->Links);
    return STATUS_SUCCESS;
}

PFSRTL_PER_STREAM_CONTEXT NTAPI FsRtlLookupPerStreamContextInternal(PFSRTL_ADVANCED_FCB_HEADER Header, PVOID Owner,
                                                                    PVOID Instance)
{
    return FsRtlpHasContexts(Header) ? FsRtlpFindContext(&Header->FilterContexts, Owner, Instance) : NULL;
}

PFSRTL_PER_STREAM_CONTEXT NTAPI FsRtlRemovePerStreamContext(PFSRTL_ADVANCED_FCB_HEADER Header, PVOID Owner,
                                                            PVOID Instance)
{
    return FsRtlpHasContexts(Header) ? FsRtlpTakeContext(&Header->FilterContexts, Owner, Instance) : NULL;
}

VOID NTAPI FsRtlTeardownPerStreamContexts(PFSRTL_ADVANCED_FCB_HEADER Header)
{
    if (Header->FilterContexts.Flink)
        FsRtlpFreeContexts(&Header->FilterContexts);
}

/* ---- Files: the pointer leads to a list made with the first context ---------------------------------------------- */

NTSTATUS NTAPI FsRtlInsertPerFileContext(PVOID *Pointer, PFSRTL_PER_FILE_CONTEXT Context)
{
    if (!Pointer)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (!*Pointer) {
        PLIST_ENTRY List = ExpTryAllocate(sizeof(*List), 'cfPF');
        if (!List)
            return STATUS_INSUFFICIENT_RESOURCES;
        InitializeListHead(List);
        *Pointer = List;
    }
    InsertHeadList((PLIST_ENTRY)*Pointer, &Context->Links);
    return STATUS_SUCCESS;
}

PFSRTL_PER_FILE_CONTEXT NTAPI FsRtlLookupPerFileContext(PVOID *Pointer, PVOID Owner, PVOID Instance)
{
    return Pointer && *Pointer ? (PVOID)FsRtlpFindContext(*Pointer, Owner, Instance) : NULL;
}

PFSRTL_PER_FILE_CONTEXT NTAPI FsRtlRemovePerFileContext(PVOID *Pointer, PVOID Owner, PVOID Instance)
{
    return Pointer && *Pointer ? (PVOID)FsRtlpTakeContext(*Pointer, Owner, Instance) : NULL;
}

VOID NTAPI FsRtlTeardownPerFileContexts(PVOID *Pointer)
{
    if (!Pointer || !*Pointer)
        return;
    FsRtlpFreeContexts(*Pointer);
    ExpFree(*Pointer);
    *Pointer = NULL;
}

/* ---- File objects ------------------------------------------------------------------------------------------------ */

NTSTATUS NTAPI FsRtlInsertPerFileObjectContext(PFILE_OBJECT File, PFSRTL_PER_FILEOBJECT_CONTEXT Context)
{
    if (!File)
        return STATUS_INVALID_DEVICE_REQUEST;
    PIOP_FILE_EXTENSION Extension = IopFileExtension(File);
    if (!Extension)
        return STATUS_INSUFFICIENT_RESOURCES;
    InsertHeadList(&Extension->Contexts, &Context->Links);
    return STATUS_SUCCESS;
}

PFSRTL_PER_FILEOBJECT_CONTEXT NTAPI FsRtlLookupPerFileObjectContext(PFILE_OBJECT File, PVOID Owner, PVOID Instance)
{
    PIOP_FILE_EXTENSION Extension = File ? File->FileObjectExtension : NULL;
    return Extension ? (PVOID)FsRtlpFindContext(&Extension->Contexts, Owner, Instance) : NULL;
}

PFSRTL_PER_FILEOBJECT_CONTEXT NTAPI FsRtlRemovePerFileObjectContext(PFILE_OBJECT File, PVOID Owner, PVOID Instance)
{
    PIOP_FILE_EXTENSION Extension = File ? File->FileObjectExtension : NULL;
    return Extension ? (PVOID)FsRtlpTakeContext(&Extension->Contexts, Owner, Instance) : NULL;
}

/* ---- Extra create parameters ------------------------------------------------------------------------------------- */

#define FSRTLP_ECP_ACKNOWLEDGED 1
#define FSRTLP_ECP_FROM_USER 2
#define FSRTLP_ECP_LOOKASIDE 4

struct _ECP_LIST {
    ULONG Signature; /* 'slEH' */
    ULONG Flags;
    LIST_ENTRY Parameters;
};

struct _ECP_HEADER {
    ULONG Signature; /* 'hcEH' */
    ULONG Flags;
    LIST_ENTRY Entry; /* Flink NULL = in no list */
    GUID Type;
    PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK Cleanup;
    PVOID Lookaside;
    ULONG Bytes, Tag;
};
C_ASSERT(sizeof(ECP_HEADER) % 16 == 0); /* so the context is aligned like pool */

#define EcpOf(Context) ((PECP_HEADER)(Context)-1)

NTSTATUS NTAPI FsRtlInitializeExtraCreateParameterList(PECP_LIST List)
{
    List->Signature = 'slEH';
    List->Flags = 0;
    InitializeListHead(&List->Parameters);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI FsRtlAllocateExtraCreateParameterList(FSRTL_ALLOCATE_ECPLIST_FLAGS Flags, PECP_LIST *List)
{
    *List = ExAllocatePoolWithTag(PagedPool, sizeof(**List), 'LecF');
    return *List ? FsRtlInitializeExtraCreateParameterList(*List) : STATUS_INSUFFICIENT_RESOURCES;
}

VOID NTAPI FsRtlInitializeExtraCreateParameter(PECP_HEADER Ecp, ULONG Flags,
                                               PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK Cleanup, ULONG TotalSize,
                                               LPCGUID Type, PVOID Lookaside)
{
    RtlZeroMemory(Ecp, sizeof(*Ecp));
    Ecp->Signature = 'hcEH';
    Ecp->Flags = Flags;
    Ecp->Type = *Type;
    Ecp->Cleanup = Cleanup;
    Ecp->Bytes = TotalSize - sizeof(*Ecp);
    Ecp->Lookaside = Lookaside;
}

static NTSTATUS FsRtlpMakeEcp(PECP_HEADER Ecp, LPCGUID Type, ULONG Bytes, ULONG Flags,
                              PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK Cleanup, ULONG Tag, PVOID Lookaside,
                              PVOID *Context)
{
    if (!Ecp)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(Ecp, sizeof(*Ecp) + Bytes);
    FsRtlInitializeExtraCreateParameter(Ecp, Flags, Cleanup, sizeof(*Ecp) + Bytes, Type, Lookaside);
    Ecp->Tag = Tag;
    *Context = Ecp + 1;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI FsRtlAllocateExtraCreateParameter(LPCGUID Type, ULONG Bytes, FSRTL_ALLOCATE_ECP_FLAGS Flags,
                                                 PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK Cleanup, ULONG Tag,
                                                 PVOID *Context)
{
    POOL_TYPE Pool = Flags & FSRTL_ALLOCATE_ECP_FLAG_NONPAGED_POOL ? NonPagedPoolNx : PagedPool;
    *Context = NULL;
    if (Bytes > MAXULONG - sizeof(ECP_HEADER))
        return STATUS_INTEGER_OVERFLOW;
    return FsRtlpMakeEcp(ExAllocatePoolWithTag(Pool, sizeof(ECP_HEADER) + Bytes, Tag), Type, Bytes, 0, Cleanup, Tag,
                         NULL, Context);
}

VOID NTAPI FsRtlInitExtraCreateParameterLookasideList(PVOID Lookaside, FSRTL_ECP_LOOKASIDE_FLAGS Flags, SIZE_T Bytes,
                                                      ULONG Tag)
{
    if (Flags & FSRTL_ECP_LOOKASIDE_FLAG_NONPAGED_POOL)
        ExInitializeNPagedLookasideList(Lookaside, NULL, NULL, 0, Bytes + sizeof(ECP_HEADER), Tag, 0);
    else
        ExInitializePagedLookasideList(Lookaside, NULL, NULL, 0, Bytes + sizeof(ECP_HEADER), Tag, 0);
}

VOID NTAPI FsRtlDeleteExtraCreateParameterLookasideList(PVOID Lookaside, FSRTL_ECP_LOOKASIDE_FLAGS Flags)
{
    if (Flags & FSRTL_ECP_LOOKASIDE_FLAG_NONPAGED_POOL)
        ExDeleteNPagedLookasideList(Lookaside);
    else
        ExDeletePagedLookasideList(Lookaside);
}

/* Both kinds of list begin with the same structure; which pool it is says the list itself. */
static BOOLEAN FsRtlpIsNonPaged(PVOID Lookaside)
{
    return !(((PGENERAL_LOOKASIDE)Lookaside)->Type & PagedPool);
}

NTSTATUS NTAPI FsRtlAllocateExtraCreateParameterFromLookasideList(
    LPCGUID Type, ULONG Bytes, FSRTL_ALLOCATE_ECP_FLAGS Flags, PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK Cleanup,
    PVOID Lookaside, PVOID *Context)
{
    *Context = NULL;
    if (Bytes + sizeof(ECP_HEADER) > ((PGENERAL_LOOKASIDE)Lookaside)->Size)
        return STATUS_INVALID_BUFFER_SIZE;
    PVOID Memory = FsRtlpIsNonPaged(Lookaside) ? ExAllocateFromNPagedLookasideList(Lookaside)
                                               : ExAllocateFromPagedLookasideList(Lookaside);
    return FsRtlpMakeEcp(Memory, Type, Bytes, FSRTLP_ECP_LOOKASIDE, Cleanup, 0, Lookaside, Context);
}

/* docs: FsRtlFreeExtraCreateParameter: after the cleanup callback, which frees what the context refers to. */
VOID NTAPI FsRtlFreeExtraCreateParameter(PVOID Context)
{
    PECP_HEADER Ecp = EcpOf(Context);
    if (Ecp->Cleanup) {
        VF_CALLBACK Callback;
        IopEnter(&Callback, "PFSRTL_EXTRA_CREATE_PARAMETER_CLEANUP_CALLBACK", "cleanup of an extra create parameter",
                 (PVOID)(ULONG_PTR)Ecp->Cleanup, Context);
        Ecp->Cleanup(Context, &Ecp->Type);
        VfLeaveCallback(&Callback);
    }
    if (!(Ecp->Flags & FSRTLP_ECP_LOOKASIDE))
        ExFreePoolWithTag(Ecp, Ecp->Tag);
    else if (FsRtlpIsNonPaged(Ecp->Lookaside))
        ExFreeToNPagedLookasideList(Ecp->Lookaside, Ecp);
    else
        ExFreeToPagedLookasideList(Ecp->Lookaside, Ecp);
}

VOID NTAPI FsRtlFreeExtraCreateParameterList(PECP_LIST List)
{
    while (!IsListEmpty(&List->Parameters))
        FsRtlFreeExtraCreateParameter(CONTAINING_RECORD(RemoveHeadList(&List->Parameters), ECP_HEADER, Entry) + 1);
    ExFreePoolWithTag(List, 'LecF');
}

static PECP_HEADER FsRtlpFindEcp(PECP_LIST List, LPCGUID Type)
{
    for (PLIST_ENTRY Entry = List->Parameters.Flink; Entry != &List->Parameters; Entry = Entry->Flink) {
        PECP_HEADER Ecp = CONTAINING_RECORD(Entry, ECP_HEADER, Entry);
        if (RtlCompareMemory(&Ecp->Type, Type, sizeof(*Type)) == sizeof(*Type))
            return Ecp;
    }
    return NULL;
}

/* docs: a type stands in a list once. */
NTSTATUS NTAPI FsRtlInsertExtraCreateParameter(PECP_LIST List, PVOID Context)
{
    PECP_HEADER Ecp = EcpOf(Context);
    if (Ecp->Entry.Flink || FsRtlpFindEcp(List, &Ecp->Type))
        return STATUS_INVALID_PARAMETER;
    InsertTailList(&List->Parameters, &Ecp->Entry);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI FsRtlFindExtraCreateParameter(PECP_LIST List, LPCGUID Type, PVOID *Context, ULONG *Bytes)
{
    PECP_HEADER Ecp = FsRtlpFindEcp(List, Type);
    if (Context)
        *Context = Ecp ? Ecp + 1 : NULL;
    if (Bytes)
        *Bytes = Ecp ? Ecp->Bytes : 0;
    return Ecp ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

NTSTATUS NTAPI FsRtlRemoveExtraCreateParameter(PECP_LIST List, LPCGUID Type, PVOID *Context, ULONG *Bytes)
{
    NTSTATUS Status = FsRtlFindExtraCreateParameter(List, Type, Context, Bytes);
    if (NT_SUCCESS(Status)) {
        RemoveEntryList(&EcpOf(*Context)->Entry);
        EcpOf(*Context)->Entry.Flink = NULL;
    }
    return Status;
}

NTSTATUS NTAPI FsRtlGetNextExtraCreateParameter(PECP_LIST List, PVOID Current, LPGUID Type, PVOID *Context,
                                                ULONG *Bytes)
{
    PLIST_ENTRY Entry = Current ? EcpOf(Current)->Entry.Flink : List->Parameters.Flink;
    PECP_HEADER Ecp = Entry == &List->Parameters ? NULL : CONTAINING_RECORD(Entry, ECP_HEADER, Entry);
    if (Context)
        *Context = Ecp ? Ecp + 1 : NULL;
    if (Bytes)
        *Bytes = Ecp ? Ecp->Bytes : 0;
    if (Type && Ecp)
        *Type = Ecp->Type;
    return Ecp ? STATUS_SUCCESS : STATUS_NOT_FOUND;
}

/* A create request carries its list where requests carry auxiliary buffers. */
NTSTATUS NTAPI FsRtlGetEcpListFromIrp(PIRP Irp, PECP_LIST *List)
{
    PECP_LIST Found = (PVOID)Irp->Tail.Overlay.AuxiliaryBuffer;
    if (IoGetCurrentIrpStackLocation(Irp)->MajorFunction != IRP_MJ_CREATE)
        return STATUS_INVALID_PARAMETER;
    if (List)
        *List = Found;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI FsRtlSetEcpListIntoIrp(PIRP Irp, PECP_LIST List)
{
    if (Irp->Tail.Overlay.AuxiliaryBuffer || IoGetCurrentIrpStackLocation(Irp)->MajorFunction != IRP_MJ_CREATE)
        return STATUS_INVALID_PARAMETER;
    Irp->Tail.Overlay.AuxiliaryBuffer = (PVOID)List;
    return STATUS_SUCCESS;
}

VOID NTAPI FsRtlAcknowledgeEcp(PVOID Context)
{
    EcpOf(Context)->Flags |= FSRTLP_ECP_ACKNOWLEDGED;
}

VOID NTAPI FsRtlPrepareToReuseEcp(PVOID Context)
{
    EcpOf(Context)->Flags &= ~FSRTLP_ECP_ACKNOWLEDGED;
}

BOOLEAN NTAPI FsRtlIsEcpAcknowledged(PVOID Context)
{
    return (EcpOf(Context)->Flags & FSRTLP_ECP_ACKNOWLEDGED) != 0;
}

BOOLEAN NTAPI FsRtlIsEcpFromUserMode(PVOID Context)
{
    return (EcpOf(Context)->Flags & FSRTLP_ECP_FROM_USER) != 0;
}
