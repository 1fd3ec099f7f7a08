/*
 * The small routines of file systems: statuses, pool that raises, deep stacks, waits that can be cancelled, sizes.
 */
#include "nt.h"
#include "ex/poolp.h"
#include <ntdddisk.h>

/* ---- Statuses ---------------------------------------------------------------------------------------------------- */

/* docs: FsRtlIsNtstatusExpected: those that only a mistake raises are not. */
BOOLEAN NTAPI FsRtlIsNtstatusExpected(NTSTATUS Status)
{
    return Status != STATUS_DATATYPE_MISALIGNMENT && Status != STATUS_ACCESS_VIOLATION &&
           Status != STATUS_ILLEGAL_INSTRUCTION && Status != STATUS_INSTRUCTION_MISALIGNMENT;
}

NTSTATUS NTAPI FsRtlNormalizeNtstatus(NTSTATUS Exception, NTSTATUS Generic)
{
    return FsRtlIsNtstatusExpected(Exception) ? Exception : Generic;
}

/* docs: FsRtlIsTotalDeviceFailure: bad sectors are not the whole device. */
BOOLEAN NTAPI FsRtlIsTotalDeviceFailure(NTSTATUS Status)
{
    return !NT_SUCCESS(Status) && Status != STATUS_CRC_ERROR && Status != STATUS_DEVICE_DATA_ERROR;
}

/* ---- Pool -------------------------------------------------------------------------------------------------------- */

static PVOID FsRtlpAllocate(POOL_TYPE Type, SIZE_T Bytes, ULONG Tag, ULONG Stack, PVOID Caller)
{
    PVOID Memory = ExpAllocateForDriver(Type & ~POOL_QUOTA_FAIL_INSTEAD_OF_RAISE, Bytes, Tag, FALSE, Stack, Caller);
    if (!Memory)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    return Memory;
}

PVOID NTAPI FsRtlAllocatePool(POOL_TYPE Type, ULONG Bytes)
{
    return FsRtlpAllocate(Type, Bytes, 'trSF', VfCaptureStack(), __builtin_return_address(0));
}

PVOID NTAPI FsRtlAllocatePoolWithQuota(POOL_TYPE Type, ULONG Bytes)
{
    return FsRtlpAllocate(Type, Bytes, 'trSF', VfCaptureStack(), __builtin_return_address(0));
}

PVOID NTAPI FsRtlAllocatePoolWithTag(POOL_TYPE Type, ULONG Bytes, ULONG Tag)
{
    return FsRtlpAllocate(Type, Bytes, Tag, VfCaptureStack(), __builtin_return_address(0));
}

PVOID NTAPI FsRtlAllocatePoolWithQuotaTag(POOL_TYPE Type, ULONG Bytes, ULONG Tag)
{
    return FsRtlpAllocate(Type, Bytes, Tag, VfCaptureStack(), __builtin_return_address(0));
}

/* docs: FsRtlAllocateResource: one of sixteen that paging I/O shares, in turn. */
PERESOURCE NTAPI FsRtlAllocateResource(VOID)
{
    static ERESOURCE Shared[16];
    static ULONG Next, Made;
    ULONG i = Next++ % RTL_NUMBER_OF(Shared);
    if (Made <= i) {
        ExInitializeResourceLite(&Shared[i]);
        Made = i + 1;
    }
    return &Shared[i];
}

/* ---- Deep stacks ------------------------------------------------------------------------------------------------- */

typedef struct _FSRTLP_POSTED {
    WORK_QUEUE_ITEM Item;
    PVOID Context;
    PKEVENT Event;
    PFSRTL_STACK_OVERFLOW_ROUTINE Routine;
} FSRTLP_POSTED, *PFSRTLP_POSTED;

static VOID NTAPI FsRtlpRunPosted(PVOID Parameter)
{
    FSRTLP_POSTED Posted = *(PFSRTLP_POSTED)Parameter;
    VF_CALLBACK Callback;
    ExpFree(Parameter);
    IopEnter(&Callback, "PFSRTL_STACK_OVERFLOW_ROUTINE", "routine posted for want of stack",
             (PVOID)(ULONG_PTR)Posted.Routine, Posted.Context);
    Posted.Routine(Posted.Context, Posted.Event);
    VfLeaveCallback(&Callback);
}

static VOID FsRtlpPostOverflow(PVOID Context, PKEVENT Event, PFSRTL_STACK_OVERFLOW_ROUTINE Routine,
                               WORK_QUEUE_TYPE Queue)
{
    PFSRTLP_POSTED Posted = ExpTryAllocate(sizeof(*Posted), 'oSRF');
    if (!Posted)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    *Posted = (FSRTLP_POSTED){.Context = Context, .Event = Event, .Routine = Routine};
    ExInitializeWorkItem(&Posted->Item, FsRtlpRunPosted, Posted);
    ExQueueWorkItem(&Posted->Item, Queue);
}

/* docs: FsRtlPostStackOverflow: on a thread that has stack; the caller waits for the event that the routine sets. */
VOID NTAPI FsRtlPostStackOverflow(PVOID Context, PKEVENT Event, PFSRTL_STACK_OVERFLOW_ROUTINE Routine)
{
    FsRtlpPostOverflow(Context, Event, Routine, CriticalWorkQueue);
}

VOID NTAPI FsRtlPostPagingFileStackOverflow(PVOID Context, PKEVENT Event, PFSRTL_STACK_OVERFLOW_ROUTINE Routine)
{
    FsRtlpPostOverflow(Context, Event, Routine, HyperCriticalWorkQueue);
}

/* ---- Waits ------------------------------------------------------------------------------------------------------- */

static VOID NTAPI FsRtlpCancelWait(PDEVICE_OBJECT Device, PIRP Irp)
{
    PKEVENT Event = Irp->Tail.Overlay.DriverContext[3];
    IoReleaseCancelSpinLock(Irp->CancelIrql);
    KeSetEvent(Event, IO_NO_INCREMENT, FALSE);
}

/* docs: FsRtlCancellableWaitForMultipleObjects: until the objects, or the cancellation of the request. */
static NTSTATUS FsRtlpWait(ULONG Count, PVOID Objects[], WAIT_TYPE Type, PLARGE_INTEGER Timeout, PKWAIT_BLOCK Blocks,
                           PIRP Irp)
{
    KEVENT Event;
    PVOID Either[2] = {Objects[0], &Event};
    if (!Irp || Count != 1)
        return KeWaitForMultipleObjects(Count, Objects, Type, Executive, KernelMode, FALSE, Timeout, Blocks);
    PVOID Kept = Irp->Tail.Overlay.DriverContext[3];
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Irp->Tail.Overlay.DriverContext[3] = &Event;
    IoSetCancelRoutine(Irp, FsRtlpCancelWait);
    NTSTATUS Status = Irp->Cancel && IoSetCancelRoutine(Irp, NULL)
                          ? STATUS_CANCELLED
                          : KeWaitForMultipleObjects(2, Either, WaitAny, Executive, KernelMode, FALSE, Timeout, NULL);
    if (Status != STATUS_CANCELLED && !IoSetCancelRoutine(Irp, NULL)) /* the routine runs: it uses our event */
        KeWaitForSingleObject(&Event, Executive, KernelMode, FALSE, NULL);
    Irp->Tail.Overlay.DriverContext[3] = Kept;
    return Status == STATUS_WAIT_1 ? STATUS_CANCELLED : Status;
}

NTSTATUS NTAPI FsRtlCancellableWaitForSingleObject(PVOID Object, PLARGE_INTEGER Timeout, PIRP Irp)
{
    return FsRtlpWait(1, &Object, WaitAny, Timeout, NULL, Irp);
}

NTSTATUS NTAPI FsRtlCancellableWaitForMultipleObjects(ULONG Count, PVOID Objects[], WAIT_TYPE Type,
                                                      PLARGE_INTEGER Timeout, PKWAIT_BLOCK Blocks, PIRP Irp)
{
    return FsRtlpWait(Count, Objects, Type, Timeout, Blocks, Irp);
}

/* ---- Files ------------------------------------------------------------------------------------------------------- */

/* docs: FsRtlGetFileSize: of the file system, by a fast call or a request. */
NTSTATUS NTAPI FsRtlGetFileSize(PFILE_OBJECT File, PLARGE_INTEGER Size)
{
    FILE_STANDARD_INFORMATION Standard;
    ULONG Bytes;
    Size->QuadPart = 0;
    NTSTATUS Status = IoQueryFileInformation(File, FileStandardInformation, sizeof(Standard), &Standard, &Bytes);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Standard.Directory)
        return STATUS_FILE_IS_A_DIRECTORY;
    *Size = Standard.EndOfFile;
    return STATUS_SUCCESS;
}

/* docs: FsRtlIsPagingFile: there is none here, so only a file system's own mark can say so. */
LOGICAL NTAPI FsRtlIsPagingFile(PFILE_OBJECT File)
{
    PFSRTL_ADVANCED_FCB_HEADER Header = File->FsContext;
    return Header && (Header->Flags2 & FSRTL_FLAG2_IS_PAGING_FILE) != 0;
}

LOGICAL NTAPI FsRtlIsSystemPagingFile(PFILE_OBJECT File)
{
    return FsRtlIsPagingFile(File);
}

ULONG CcFastReadNotPossible, CcFastReadWait, CcFastMdlReadWait;
static ULONG FsRtlpFastReadNoWait, FsRtlpFastReadResourceMiss;

VOID NTAPI FsRtlIncrementCcFastReadNotPossible(VOID)
{
    CcFastReadNotPossible++;
}

VOID NTAPI FsRtlIncrementCcFastReadWait(VOID)
{
    CcFastReadWait++;
}

VOID NTAPI FsRtlIncrementCcFastReadNoWait(VOID)
{
    FsRtlpFastReadNoWait++;
}

VOID NTAPI FsRtlIncrementCcFastReadResourceMiss(VOID)
{
    FsRtlpFastReadResourceMiss++;
}

VOID NTAPI FsRtlIncrementCcFastMdlReadWait(VOID)
{
    CcFastMdlReadWait++;
}

/* docs: FsRtlNotifyVolumeEvent: tells those who have registered for changes of the volume's physical device; volumes
 * here lie on none that Plug and Play knows. */
NTSTATUS NTAPI FsRtlNotifyVolumeEvent(PFILE_OBJECT File, ULONG Event)
{
    return Event >= FSRTL_VOLUME_DISMOUNT && Event <= FSRTL_VOLUME_BACKGROUND_FORMAT ? STATUS_NO_SUCH_DEVICE
                                                                                     : STATUS_INVALID_PARAMETER;
}

/* docs: FsRtlNotifyVolumeEventEx: with a whole notification, for events that need one. */
NTSTATUS NTAPI FsRtlNotifyVolumeEventEx(PFILE_OBJECT File, ULONG Event, PTARGET_DEVICE_CUSTOM_NOTIFICATION Notification)
{
    return FsRtlNotifyVolumeEvent(File, Event);
}

/* docs: FsRtlValidateReparsePointBuffer: sizes and tag belong together. */
NTSTATUS NTAPI FsRtlValidateReparsePointBuffer(ULONG Bytes, PREPARSE_DATA_BUFFER Buffer)
{
    const ULONG Header = FIELD_OFFSET(REPARSE_DATA_BUFFER, GenericReparseBuffer), GuidHeader = Header + sizeof(GUID);
    if (Bytes < Header || Bytes > MAXIMUM_REPARSE_DATA_BUFFER_SIZE)
        return STATUS_IO_REPARSE_DATA_INVALID;
    BOOLEAN Exact = Header + Buffer->ReparseDataLength == Bytes;
    if (!Exact && GuidHeader + Buffer->ReparseDataLength != Bytes)
        return STATUS_IO_REPARSE_DATA_INVALID;
    if (Exact && !IsReparseTagMicrosoft(Buffer->ReparseTag))
        return STATUS_IO_REPARSE_DATA_INVALID;
    if (!IsReparseTagValid(Buffer->ReparseTag) || Buffer->ReparseTag <= IO_REPARSE_TAG_RESERVED_RANGE)
        return STATUS_IO_REPARSE_TAG_INVALID;
    if (Buffer->ReparseTag == IO_REPARSE_TAG_MOUNT_POINT) {
        ULONG Fixed = FIELD_OFFSET(REPARSE_DATA_BUFFER, MountPointReparseBuffer.PathBuffer) - Header;
        if (Buffer->ReparseDataLength < Fixed || Buffer->MountPointReparseBuffer.SubstituteNameOffset != 0 ||
            Buffer->MountPointReparseBuffer.PrintNameOffset !=
                Buffer->MountPointReparseBuffer.SubstituteNameLength + sizeof(WCHAR) ||
            Buffer->ReparseDataLength != Fixed + Buffer->MountPointReparseBuffer.SubstituteNameLength +
                                             Buffer->MountPointReparseBuffer.PrintNameLength + 2 * sizeof(WCHAR))
            return STATUS_IO_REPARSE_DATA_INVALID;
    }
    return STATUS_SUCCESS;
}

/* ---- Volumes ------------------------------------------------------------------------------------------------------ */

/* docs: FsRtlGetSectorSizeInformation: a disk that does not tell of its physical sectors has them as large as the logical
 * ones. */
NTSTATUS NTAPI FsRtlGetSectorSizeInformation(PDEVICE_OBJECT Device, PFILE_FS_SECTOR_SIZE_INFORMATION Sizes)
{
    STORAGE_PROPERTY_QUERY Query = {.PropertyId = StorageAccessAlignmentProperty};
    STORAGE_ACCESS_ALIGNMENT_DESCRIPTOR Alignment = {0};
    DISK_GEOMETRY Geometry;
    ULONG_PTR Bytes;
    NTSTATUS Status = FsRtlIssueDeviceIoControl(Device, IOCTL_DISK_GET_DRIVE_GEOMETRY, 0, NULL, 0, &Geometry,
                                                sizeof(Geometry), &Bytes);
    if (!NT_SUCCESS(Status))
        return Status;
    RtlZeroMemory(Sizes, sizeof(*Sizes));
    Sizes->LogicalBytesPerSector = Geometry.BytesPerSector;
    Status = FsRtlIssueDeviceIoControl(Device, IOCTL_STORAGE_QUERY_PROPERTY, 0, &Query, sizeof(Query), &Alignment,
                                       sizeof(Alignment), &Bytes);
    if (!NT_SUCCESS(Status) || Alignment.BytesPerPhysicalSector < Geometry.BytesPerSector) {
        Alignment.BytesPerPhysicalSector = Geometry.BytesPerSector;
        Alignment.BytesOffsetForSectorAlignment = 0;
    }
    Sizes->PhysicalBytesPerSectorForAtomicity = Alignment.BytesPerPhysicalSector;
    Sizes->PhysicalBytesPerSectorForPerformance = Alignment.BytesPerPhysicalSector;
    Sizes->FileSystemEffectivePhysicalBytesPerSectorForAtomicity =
        Alignment.BytesPerPhysicalSector < PAGE_SIZE ? Alignment.BytesPerPhysicalSector : PAGE_SIZE;
    Sizes->ByteOffsetForSectorAlignment = Alignment.BytesOffsetForSectorAlignment;
    if (!Alignment.BytesOffsetForSectorAlignment)
        Sizes->Flags = SSINFO_FLAGS_ALIGNED_DEVICE | SSINFO_FLAGS_PARTITION_ALIGNED_ON_DEVICE;
    return STATUS_SUCCESS;
}

/* Undocumented; file systems call it when a dismount is over, which nobody waits for here. */
VOID NTAPI FsRtlDismountComplete(PDEVICE_OBJECT Device, NTSTATUS Status)
{
}
