/*
 * Locks that Mm and Cc take on a file before they touch it, and the filters that may have a say.
 * (docs: FsRtlRegisterFileSystemFilterCallbacks, FsRtlAcquireFileExclusive, FAST_IO_DISPATCH)
 *
 * Each operation goes down the file's device stack: every driver that has registered callbacks has its pre-operation
 * callback called, then the file system itself locks the file, then the post-operation callbacks run from the bottom
 * up. A pre-operation callback that answers anything but STATUS_SUCCESS ends the descent.
 */
#include "nt.h"
#include "cc/ccp.h"

#define FSRTLP_STACK_MOST 32

NTSTATUS NTAPI FsRtlRegisterFileSystemFilterCallbacks(PDRIVER_OBJECT Driver, PFS_FILTER_CALLBACKS Callbacks)
{
    PIOP_DRIVER Own = IopDriverOf(Driver);
    if (!Callbacks || Callbacks->SizeOfFsFilterCallbacks < FIELD_OFFSET(FS_FILTER_CALLBACKS, PreAcquireForCcFlush))
        return STATUS_INVALID_PARAMETER;
    if (Own->FilterCallbacks)
        return STATUS_ALREADY_REGISTERED;
    PFS_FILTER_CALLBACKS Kept = ExpTryAllocate(sizeof(*Kept), 'bcFF');
    if (!Kept)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(Kept, sizeof(*Kept));
    RtlCopyMemory(Kept, Callbacks,
                  Callbacks->SizeOfFsFilterCallbacks < sizeof(*Kept) ? Callbacks->SizeOfFsFilterCallbacks
                                                                     : sizeof(*Kept));
    Own->FilterCallbacks = Kept;
    return STATUS_SUCCESS;
}

/* The callbacks for an operation lie in pairs, in the order of the codes. */
static VOID FsRtlpCallbacksOf(PDEVICE_OBJECT Device, UCHAR Operation, PFS_FILTER_CALLBACK *Pre,
                              PFS_FILTER_COMPLETION_CALLBACK *Post)
{
    static const USHORT Offset[6] = {
        FIELD_OFFSET(FS_FILTER_CALLBACKS, PreAcquireForSectionSynchronization),
        FIELD_OFFSET(FS_FILTER_CALLBACKS, PreReleaseForSectionSynchronization),
        FIELD_OFFSET(FS_FILTER_CALLBACKS, PreAcquireForModifiedPageWriter),
        FIELD_OFFSET(FS_FILTER_CALLBACKS, PreReleaseForModifiedPageWriter),
        FIELD_OFFSET(FS_FILTER_CALLBACKS, PreAcquireForCcFlush),
        FIELD_OFFSET(FS_FILTER_CALLBACKS, PreReleaseForCcFlush),
    };
    PUCHAR Callbacks = IopDriverOf(Device->DriverObject)->FilterCallbacks;
    *Pre = Callbacks ? *(PFS_FILTER_CALLBACK *)(Callbacks + Offset[(UCHAR)~Operation]) : NULL;
    *Post =
        Callbacks ? *(PFS_FILTER_COMPLETION_CALLBACK *)(Callbacks + Offset[(UCHAR)~Operation] + sizeof(PVOID)) : NULL;
}

/* ---- The file system's own part ------------------------------------------------------------------------------------
 */

static NTSTATUS FsRtlpBase(PFS_FILTER_CALLBACK_DATA Data)
{
    PFILE_OBJECT File = Data->FileObject;
    PFSRTL_COMMON_FCB_HEADER Header = File->FsContext;
    PFAST_IO_DISPATCH Fast = Data->DeviceObject->DriverObject->FastIoDispatch;
    BOOLEAN Own = FALSE;
    NTSTATUS Status = STATUS_SUCCESS;
    VF_CALLBACK Callback;
#define HAS(Routine) (Fast && Fast->SizeOfFastIoDispatch > FIELD_OFFSET(FAST_IO_DISPATCH, Routine) && Fast->Routine)
#define CALL(Routine, ...)                                                                                             \
    (IopEnter(&Callback, "FAST_IO_DISPATCH", #Routine, (PVOID)(ULONG_PTR)Fast->Routine, File), Own = TRUE,             \
     Fast->Routine(__VA_ARGS__))
    switch (Data->Operation) {
    case FS_FILTER_ACQUIRE_FOR_SECTION_SYNCHRONIZATION:
        if (HAS(AcquireFileForNtCreateSection))
            CALL(AcquireFileForNtCreateSection, File);
        else if (Header && Header->Resource)
            ExAcquireResourceExclusiveLite(Header->Resource, TRUE);
        break;
    case FS_FILTER_RELEASE_FOR_SECTION_SYNCHRONIZATION:
        if (HAS(ReleaseFileForNtCreateSection))
            CALL(ReleaseFileForNtCreateSection, File);
        else if (Header && Header->Resource)
            ExReleaseResourceLite(Header->Resource);
        break;
    case FS_FILTER_ACQUIRE_FOR_MOD_WRITE: {
        PERESOURCE *Release = Data->Parameters.AcquireForModifiedPageWriter.ResourceToRelease;
        Status = STATUS_INVALID_DEVICE_REQUEST;
        if (HAS(AcquireForModWrite))
            Status = CALL(AcquireForModWrite, File, Data->Parameters.AcquireForModifiedPageWriter.EndingOffset, Release,
                          Data->DeviceObject);
        if (Own)
            VfLeaveCallback(&Callback);
        Own = FALSE;
        if (Status == STATUS_INVALID_DEVICE_REQUEST &&
            Header) { /* docs: the main or the paging resource, by the flags */
            PERESOURCE Resource = Header->Flags & (FSRTL_FLAG_ACQUIRE_MAIN_RSRC_EX | FSRTL_FLAG_ACQUIRE_MAIN_RSRC_SH)
                                      ? Header->Resource
                                      : Header->PagingIoResource;
            *Release = Resource;
            Status = !Resource ? STATUS_SUCCESS
                     : Header->Flags & FSRTL_FLAG_ACQUIRE_MAIN_RSRC_EX
                         ? ExAcquireResourceExclusiveLite(Resource, FALSE) ? STATUS_SUCCESS : STATUS_CANT_WAIT
                     : ExAcquireSharedWaitForExclusive(Resource, FALSE) ? STATUS_SUCCESS
                                                                        : STATUS_CANT_WAIT;
        }
        break;
    }
    case FS_FILTER_RELEASE_FOR_MOD_WRITE:
        if (HAS(ReleaseForModWrite))
            Status = CALL(ReleaseForModWrite, File, Data->Parameters.ReleaseForModifiedPageWriter.ResourceToRelease,
                          Data->DeviceObject);
        else if (Data->Parameters.ReleaseForModifiedPageWriter.ResourceToRelease)
            ExReleaseResourceLite(Data->Parameters.ReleaseForModifiedPageWriter.ResourceToRelease);
        break;
    case FS_FILTER_ACQUIRE_FOR_CC_FLUSH:
        if (HAS(AcquireForCcFlush))
            Status = CALL(AcquireForCcFlush, File, Data->DeviceObject);
        else {
            if (Header && Header->Resource)
                ExAcquireResourceExclusiveLite(Header->Resource, TRUE);
            if (Header && Header->PagingIoResource)
                ExAcquireResourceSharedLite(Header->PagingIoResource, TRUE);
        }
        break;
    case FS_FILTER_RELEASE_FOR_CC_FLUSH:
        if (HAS(ReleaseForCcFlush))
            Status = CALL(ReleaseForCcFlush, File, Data->DeviceObject);
        else {
            if (Header && Header->PagingIoResource)
                ExReleaseResourceLite(Header->PagingIoResource);
            if (Header && Header->Resource)
                ExReleaseResourceLite(Header->Resource);
        }
        break;
    }
    if (Own)
        VfLeaveCallback(&Callback);
    return Status;
#undef HAS
#undef CALL
}

/* ---- Down and up ------------------------------------------------------------------------------------------------- */

NTSTATUS FsRtlpFileOperation(PFILE_OBJECT File, UCHAR Operation, const FS_FILTER_PARAMETERS *Parameters)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File), Passed[FSRTLP_STACK_MOST];
    PVOID Context[FSRTLP_STACK_MOST];
    FS_FILTER_CALLBACK_DATA Data = {
        .SizeOfFsFilterCallbackData = sizeof(Data), .Operation = Operation, .FileObject = File};
    PFS_FILTER_CALLBACK Pre;
    PFS_FILTER_COMPLETION_CALLBACK Post;
    VF_CALLBACK Callback;
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG n = 0;
    if (Parameters)
        Data.Parameters = *Parameters;
    for (;; Device = IopDeviceOf(Device)->AttachedTo) {
        Data.DeviceObject = Device;
        FsRtlpCallbacksOf(Device, Operation, &Pre, &Post);
        if ((Pre || Post) && n < FSRTLP_STACK_MOST) {
            Context[n] = NULL;
            Passed[n] = Device;
            if (Pre) {
                IopEnter(&Callback, "PFS_FILTER_CALLBACK", "file system filter callback of device %o",
                         (PVOID)(ULONG_PTR)Pre, Device);
                Status = Pre(&Data, &Context[n]);
                VfLeaveCallback(&Callback);
            }
            if (Status != STATUS_SUCCESS)
                break;
            n++;
        }
        if (!IopDeviceOf(Device)->AttachedTo)
            break;
    }
    /* docs: PFS_FILTER_CALLBACK: STATUS_FSFILTER_OP_COMPLETED_SUCCESSFULLY ends it as done. */
    if (Status == STATUS_SUCCESS)
        Status = FsRtlpBase(&Data);
    else if (Status == STATUS_FSFILTER_OP_COMPLETED_SUCCESSFULLY)
        Status = STATUS_SUCCESS;
    while (n-- > 0) {
        FsRtlpCallbacksOf(Passed[n], Operation, &Pre, &Post);
        Data.DeviceObject = Passed[n];
        if (!Post)
            continue;
        IopEnter(&Callback, "PFS_FILTER_COMPLETION_CALLBACK", "file system filter callback of device %o",
                 (PVOID)(ULONG_PTR)Post, Passed[n]);
        Post(&Data, Status, Context[n]);
        VfLeaveCallback(&Callback);
    }
    return Status;
}

/* docs: FsRtlAcquireFileExclusive: as for the creation of a section; in a critical region until the release. */
VOID NTAPI FsRtlAcquireFileExclusive(PFILE_OBJECT File)
{
    const FS_FILTER_PARAMETERS Parameters = {.AcquireForSectionSynchronization.SyncType = SyncTypeOther};
    KeEnterCriticalRegion();
    FsRtlpFileOperation(File, FS_FILTER_ACQUIRE_FOR_SECTION_SYNCHRONIZATION, &Parameters);
}

VOID NTAPI FsRtlReleaseFile(PFILE_OBJECT File)
{
    FsRtlpFileOperation(File, FS_FILTER_RELEASE_FOR_SECTION_SYNCHRONIZATION, NULL);
    KeLeaveCriticalRegion();
}
