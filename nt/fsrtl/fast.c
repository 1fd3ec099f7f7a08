/*
 * Ready-made fast I/O routines for file systems that cache their files: reads and writes without a request, MDLs of the
 * cache. (docs: FsRtlCopyRead, FsRtlCopyWrite, FsRtlMdlReadDev, FsRtlPrepareMdlWriteDev)
 *
 * FALSE means "send me a request", and is the answer whenever something would take the file system's own judgement.
 */
#include "nt.h"
#include "cc/ccp.h"

#define HeaderOf(File) ((PFSRTL_COMMON_FCB_HEADER)(File)->FsContext)

/* The file system says in its header whether, or is asked. */
static BOOLEAN FsRtlpMayBeFast(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                               BOOLEAN Read, PIO_STATUS_BLOCK Iosb)
{
    PFSRTL_COMMON_FCB_HEADER Header = HeaderOf(File);
    if (!File->PrivateCacheMap || Header->IsFastIoPossible == FastIoIsNotPossible)
        return FALSE;
    if (Header->IsFastIoPossible != FastIoIsQuestionable)
        return TRUE;
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    VF_CALLBACK Callback;
    if (!Fast || !Fast->FastIoCheckIfPossible)
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "FastIoCheckIfPossible", (PVOID)(ULONG_PTR)Fast->FastIoCheckIfPossible,
             File);
    BOOLEAN May = Fast->FastIoCheckIfPossible(File, Offset, Length, Wait, Key, Read, Iosb, Device);
    VfLeaveCallback(&Callback);
    return May;
}

static VOID FsRtlpEnterFast(VOID)
{
    KeEnterCriticalRegion();
    IoSetTopLevelIrp((PIRP)FSRTL_FAST_IO_TOP_LEVEL_IRP);
}

static BOOLEAN FsRtlpLeaveFast(PERESOURCE Resource, BOOLEAN Result)
{
    IoSetTopLevelIrp(NULL);
    if (Resource)
        ExReleaseResourceLite(Resource);
    KeLeaveCriticalRegion();
    return Result;
}

/* Cc raises what goes wrong. Expected statuses end the call, the others are for whoever called. FALSE: raised. */
static LONG FsRtlpExpect(NTSTATUS Status)
{
    return FsRtlIsNtstatusExpected(Status) ? EXCEPTION_EXECUTE_HANDLER : EXCEPTION_CONTINUE_SEARCH;
}

static BOOLEAN FsRtlpGuard(BOOLEAN (*Routine)(PVOID), PVOID Context, PBOOLEAN Done)
{
    __try {
        *Done = Routine(Context);
    } __except (FsRtlpExpect((NTSTATUS)GetExceptionCode())) {
        return FALSE;
    }
    return TRUE;
}

/* ---- Read -------------------------------------------------------------------------------------------------------- */

typedef struct _FSRTLP_COPY {
    PFILE_OBJECT File;
    LARGE_INTEGER Offset;
    ULONG Length;
    BOOLEAN Wait;
    PVOID Buffer;
    PMDL *Chain;
    PIO_STATUS_BLOCK Iosb;
} FSRTLP_COPY, *PFSRTLP_COPY;

/* Shared by read and MDL read: 0 = ask for a request, 1 = answered, 2 = go on; *Length is cut at the end of the file.
 */
static ULONG FsRtlpBeginRead(PFSRTLP_COPY Copy, ULONG Key)
{
    PFSRTL_COMMON_FCB_HEADER Header = HeaderOf(Copy->File);
    Copy->Iosb->Status = STATUS_SUCCESS;
    Copy->Iosb->Information = 0;
    if (!Copy->Length)
        return 1;
    if (!Copy->File->PrivateCacheMap)
        return 0; /* nor need its header have a resource */
    if (Copy->Offset.QuadPart < 0 || Copy->Offset.QuadPart + Copy->Length < Copy->Offset.QuadPart)
        return 0;
    FsRtlpEnterFast();
    if (!ExAcquireResourceSharedLite(Header->Resource, Copy->Wait))
        return FsRtlpLeaveFast(NULL, 0);
    if (!FsRtlpMayBeFast(Copy->File, &Copy->Offset, Copy->Length, Copy->Wait, Key, TRUE, Copy->Iosb))
        return FsRtlpLeaveFast(Header->Resource, 0);
    if (Copy->Offset.QuadPart >= Header->FileSize.QuadPart) {
        Copy->Iosb->Status = STATUS_END_OF_FILE;
        return FsRtlpLeaveFast(Header->Resource, 1);
    }
    if (Copy->Offset.QuadPart + Copy->Length > Header->FileSize.QuadPart)
        Copy->Length = (ULONG)(Header->FileSize.QuadPart - Copy->Offset.QuadPart);
    return 2;
}

static DECLSPEC_NOINLINE BOOLEAN FsRtlpReadCache(PVOID Context)
{
    PFSRTLP_COPY Copy = Context;
    return CcCopyRead(Copy->File, &Copy->Offset, Copy->Length, Copy->Wait, Copy->Buffer, Copy->Iosb);
}

BOOLEAN NTAPI FsRtlCopyRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                            PVOID Buffer, PIO_STATUS_BLOCK Iosb, PDEVICE_OBJECT Device)
{
    FSRTLP_COPY Copy = {
        .File = File, .Offset = *Offset, .Length = Length, .Wait = Wait, .Buffer = Buffer, .Iosb = Iosb};
    ULONG Go = FsRtlpBeginRead(&Copy, Key);
    if (Go < 2)
        return Go != 0;
    BOOLEAN Done = FALSE;
    if (!FsRtlpGuard(FsRtlpReadCache, &Copy, &Done))
        Done = FALSE;
    File->Flags |= FO_FILE_FAST_IO_READ;
    if (Done)
        File->CurrentByteOffset.QuadPart = Offset->QuadPart + (LONGLONG)Iosb->Information;
    return FsRtlpLeaveFast(HeaderOf(File)->Resource, Done);
}

static DECLSPEC_NOINLINE BOOLEAN FsRtlpReadMdl(PVOID Context)
{
    PFSRTLP_COPY Copy = Context;
    CcMdlRead(Copy->File, &Copy->Offset, Copy->Length, Copy->Chain, Copy->Iosb);
    return TRUE;
}

BOOLEAN NTAPI FsRtlMdlReadDev(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, ULONG Key, PMDL *Chain,
                              PIO_STATUS_BLOCK Iosb, PDEVICE_OBJECT Device)
{
    FSRTLP_COPY Copy = {.File = File, .Offset = *Offset, .Length = Length, .Wait = TRUE, .Chain = Chain, .Iosb = Iosb};
    ULONG Go = FsRtlpBeginRead(&Copy, Key);
    if (Go < 2)
        return Go != 0;
    BOOLEAN Done = FALSE;
    if (!FsRtlpGuard(FsRtlpReadMdl, &Copy, &Done))
        Done = FALSE;
    return FsRtlpLeaveFast(HeaderOf(File)->Resource, Done);
}

BOOLEAN NTAPI FsRtlMdlReadCompleteDev(PFILE_OBJECT File, PMDL Chain, PDEVICE_OBJECT Device)
{
    CcMdlReadComplete(File, Chain);
    return TRUE;
}

/* ---- Write ------------------------------------------------------------------------------------------------------- */

/* docs: FsRtlCopyWrite: it may extend the file within its allocation; everything else takes a request. */
static BOOLEAN FsRtlpBeginWrite(PFSRTLP_COPY Copy, ULONG Key, PBOOLEAN Extends)
{
    PFILE_OBJECT File = Copy->File;
    PFSRTL_COMMON_FCB_HEADER Header = HeaderOf(File);
    BOOLEAN Append = Copy->Offset.HighPart == -1 && Copy->Offset.LowPart == FILE_WRITE_TO_END_OF_FILE;
    if ((File->Flags & FO_WRITE_THROUGH) || !File->PrivateCacheMap ||
        !CcCanIWrite(File, Copy->Length, Copy->Wait, FALSE) || !CcCopyWriteWontFlush(File, &Copy->Offset, Copy->Length))
        return FALSE;
    FsRtlpEnterFast();
    *Extends = Append || Copy->Offset.QuadPart + Copy->Length > Header->ValidDataLength.QuadPart;
    if (!(*Extends ? ExAcquireResourceExclusiveLite(Header->Resource, Copy->Wait)
                   : ExAcquireResourceSharedLite(Header->Resource, Copy->Wait)))
        return FsRtlpLeaveFast(NULL, FALSE);
    if (Append)
        Copy->Offset = Header->FileSize;
    LONGLONG End = Copy->Offset.QuadPart + Copy->Length;
    if (Copy->Offset.QuadPart < 0 || End < Copy->Offset.QuadPart || End > Header->AllocationSize.QuadPart ||
        Copy->Offset.QuadPart >= Header->ValidDataLength.QuadPart + 0x2000 ||
        !FsRtlpMayBeFast(File, &Copy->Offset, Copy->Length, Copy->Wait, Key, FALSE, Copy->Iosb))
        return FsRtlpLeaveFast(Header->Resource, FALSE);
    return TRUE;
}

static DECLSPEC_NOINLINE BOOLEAN FsRtlpWriteCache(PVOID Context)
{
    PFSRTLP_COPY Copy = Context;
    PFSRTL_COMMON_FCB_HEADER Header = HeaderOf(Copy->File);
    if (Copy->Offset.QuadPart > Header->ValidDataLength.QuadPart &&
        !CcZeroData(Copy->File, &Header->ValidDataLength, &Copy->Offset, Copy->Wait))
        return FALSE;
    if (Copy->Chain) {
        CcPrepareMdlWrite(Copy->File, &Copy->Offset, Copy->Length, Copy->Chain, Copy->Iosb);
        return TRUE;
    }
    return CcCopyWrite(Copy->File, &Copy->Offset, Copy->Length, Copy->Wait, Copy->Buffer);
}

static VOID FsRtlpSetSize(PFSRTL_COMMON_FCB_HEADER Header, PFILE_OBJECT File, LONGLONG Size)
{
    if (Header->PagingIoResource)
        ExAcquireResourceExclusiveLite(Header->PagingIoResource, TRUE);
    Header->FileSize.QuadPart = Size;
    CcGetFileSizePointer(File)->QuadPart = Size;
    if (Header->PagingIoResource)
        ExReleaseResourceLite(Header->PagingIoResource);
}

static BOOLEAN FsRtlpFastWrite(PFSRTLP_COPY Copy, ULONG Key)
{
    PFILE_OBJECT File = Copy->File;
    PFSRTL_COMMON_FCB_HEADER Header = HeaderOf(File);
    BOOLEAN Extends, Done = FALSE;
    Copy->Iosb->Status = STATUS_SUCCESS;
    Copy->Iosb->Information = Copy->Length;
    if (!Copy->Length)
        return TRUE;
    if (!FsRtlpBeginWrite(Copy, Key, &Extends))
        return FALSE;
    LONGLONG End = Copy->Offset.QuadPart + Copy->Length, Old = Header->FileSize.QuadPart;
    if (End > Old)
        FsRtlpSetSize(Header, File, End);
    if (!FsRtlpGuard(FsRtlpWriteCache, Copy, &Done))
        Done = FALSE;
    if (Done) {
        File->Flags |= FO_FILE_MODIFIED | (End > Old ? FO_FILE_SIZE_CHANGED : 0);
        if (Header->ValidDataLength.QuadPart < End)
            Header->ValidDataLength.QuadPart = End;
        Header->Flags |= FSRTL_FLAG_FILE_MODIFIED | (End > Old ? FSRTL_FLAG_FILE_LENGTH_CHANGED : 0);
        if (!Copy->Chain)
            File->CurrentByteOffset.QuadPart = End;
    } else if (End > Old)
        FsRtlpSetSize(Header, File, Old);
    return FsRtlpLeaveFast(Header->Resource, Done);
}

BOOLEAN NTAPI FsRtlCopyWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, ULONG Key,
                             PVOID Buffer, PIO_STATUS_BLOCK Iosb, PDEVICE_OBJECT Device)
{
    FSRTLP_COPY Copy = {
        .File = File, .Offset = *Offset, .Length = Length, .Wait = Wait, .Buffer = Buffer, .Iosb = Iosb};
    return FsRtlpFastWrite(&Copy, Key);
}

BOOLEAN NTAPI FsRtlPrepareMdlWriteDev(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, ULONG Key, PMDL *Chain,
                                      PIO_STATUS_BLOCK Iosb, PDEVICE_OBJECT Device)
{
    FSRTLP_COPY Copy = {.File = File, .Offset = *Offset, .Length = Length, .Wait = TRUE, .Chain = Chain, .Iosb = Iosb};
    return FsRtlpFastWrite(&Copy, Key);
}

BOOLEAN NTAPI FsRtlMdlWriteCompleteDev(PFILE_OBJECT File, PLARGE_INTEGER Offset, PMDL Chain, PDEVICE_OBJECT Device)
{
    if (File->Flags & FO_WRITE_THROUGH)
        return FALSE;
    CcMdlWriteComplete(File, Offset, Chain);
    return TRUE;
}
