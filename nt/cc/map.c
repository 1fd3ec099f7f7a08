/*
 * Shared and private cache maps: made, sized, flushed, purged, deleted (docs: CcInitializeCacheMap, CcSetFileSizes,
 * CcFlushCache, CcPurgeCacheSection, CcUninitializeCacheMap).
 */
#include "nt.h"
#include "cc/ccp.h"

LIST_ENTRY CcpMaps = {&CcpMaps, &CcpMaps};

/* ---- Made -------------------------------------------------------------------------------------------------------- */

static PCCP_MAP CcpMakeMap(PFILE_OBJECT File, PCC_FILE_SIZES Sizes, BOOLEAN PinAccess,
                           PCACHE_MANAGER_CALLBACKS Callbacks, PVOID Context)
{
    PCCP_MAP Map = ExpTryAllocate(sizeof(*Map), CCP_TAG);
    if (!Map)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    Map->NodeTypeCode = 0x2ff;
    Map->NodeByteSize = sizeof(*Map);
    Map->FileSize = Sizes->FileSize;
    Map->SectionSize.QuadPart = (Sizes->AllocationSize.QuadPart + CCP_VIEW_BYTES - 1) & ~(CCP_VIEW_BYTES - 1ll);
    Map->ValidData = Map->ValidGoal = Sizes->ValidDataLength;
    Map->File = File;
    Map->Section = File->SectionObjectPointer;
    Map->Callbacks = *Callbacks;
    Map->Context = Context;
    Map->PinAccess = PinAccess;
    InitializeListHead(&Map->Bcbs);
    KeInitializeEvent(&Map->Idle, NotificationEvent, FALSE);
    ObfReferenceObject(File);
    InsertTailList(&CcpMaps, &Map->Entry);
    File->SectionObjectPointer->SharedCacheMap = Map;
    MiJoinCache(Map->Section->DataSectionObject);
    return Map;
}

VOID NTAPI CcInitializeCacheMap(PFILE_OBJECT File, PCC_FILE_SIZES Sizes, BOOLEAN PinAccess,
                                PCACHE_MANAGER_CALLBACKS Callbacks, PVOID Context)
{
    PCCP_MAP Map = CcpMapOf(File);
    if (File->PrivateCacheMap)
        return;
    PCCP_PRIVATE Private = ExpTryAllocate(sizeof(*Private), CCP_TAG);
    if (!Private)
        ExRaiseStatus(STATUS_INSUFFICIENT_RESOURCES);
    if (!Map)
        Map = CcpMakeMap(File, Sizes, PinAccess, Callbacks, Context);
    Private->NodeTypeCode = 0x2fe;
    Private->NodeByteSize = sizeof(*Private);
    Private->ReadAheadMask = PAGE_SIZE - 1;
    Private->File = File;
    Private->LastEnd = -1;
    File->PrivateCacheMap = Private;
    Map->OpenCount++;
}

/* ---- Sizes ------------------------------------------------------------------------------------------------------- */

/* The bytes between the file's new end and the end of its page. */
static VOID CcpZeroTail(PCCP_MAP Map, LONGLONG Size)
{
    ULONG Number = (ULONG)(Size / CCP_VIEW_BYTES), In = (ULONG)(Size % CCP_VIEW_BYTES);
    PCCP_VIEW View = Number < Map->Views ? Map->View[Number] : NULL;
    if (View && (In & (PAGE_SIZE - 1)) && (View->Valid >> In / PAGE_SIZE & 1))
        RtlZeroMemory(View->Memory + In, PAGE_SIZE - (In & (PAGE_SIZE - 1)));
}

NTSTATUS NTAPI CcSetFileSizesEx(PFILE_OBJECT File, PCC_FILE_SIZES Sizes)
{
    PCCP_MAP Map = File->SectionObjectPointer ? CcpMapOf(File) : NULL;
    if (!Map)
        return STATUS_SUCCESS;
    LONGLONG Old = Map->FileSize.QuadPart, New = Sizes->FileSize.QuadPart;
    LONGLONG Section = (Sizes->AllocationSize.QuadPart + CCP_VIEW_BYTES - 1) & ~(CCP_VIEW_BYTES - 1ll);
    if (Section > Map->SectionSize.QuadPart)
        Map->SectionSize.QuadPart = Section;
    if (New < Old) { /* docs: what lies beyond is gone, written or not */
        MiPurgeData(Map->Section->DataSectionObject, (UINT64)(New + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ull), MAXLONGLONG);
        CcpDiscard(Map, (New + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ll), MAXLONGLONG - CCP_VIEW_BYTES, TRUE);
        CcpZeroTail(Map, New);
        if (Map->ValidData.QuadPart != MAXLONGLONG && Map->ValidData.QuadPart > New)
            Map->ValidData.QuadPart = New;
        if (Map->ValidGoal.QuadPart != MAXLONGLONG && Map->ValidGoal.QuadPart > New)
            Map->ValidGoal.QuadPart = New;
    }
    Map->FileSize = Sizes->FileSize;
    return STATUS_SUCCESS;
}

VOID NTAPI CcSetFileSizes(PFILE_OBJECT File, PCC_FILE_SIZES Sizes)
{
    NTSTATUS Status = CcSetFileSizesEx(File, Sizes);
    if (!NT_SUCCESS(Status))
        ExRaiseStatus(Status);
}

/* Valid data has grown on disk: the file system puts it on record. (docs: FILE_END_OF_FILE_INFORMATION,
 * Parameters.SetFile.AdvanceOnly) */
VOID CcpTellValidData(PCCP_MAP Map)
{
    LARGE_INTEGER Goal = Map->ValidGoal;
    if (Map->ValidData.QuadPart == MAXLONGLONG || Goal.QuadPart <= Map->ValidData.QuadPart || Map->DirtyPages)
        return;
    PDEVICE_OBJECT Top = IoGetRelatedDeviceObject(Map->File);
    PIRP Irp = IopAllocateIrp(Top->StackSize, Map->File);
    FILE_END_OF_FILE_INFORMATION Information = {.EndOfFile = Goal};
    IO_STATUS_BLOCK Iosb = {0};
    if (!Irp)
        return;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO;
    Irp->AssociatedIrp.SystemBuffer = &Information;
    Irp->UserBuffer = &Information;
    Stack->MajorFunction = IRP_MJ_SET_INFORMATION;
    Stack->FileObject = Map->File;
    Stack->Parameters.SetFile.Length = sizeof(Information);
    Stack->Parameters.SetFile.FileInformationClass = FileEndOfFileInformation;
    Stack->Parameters.SetFile.FileObject = NULL;
    Stack->Parameters.SetFile.AdvanceOnly = TRUE;
    Map->ValidData = Goal;
    IopCallAndWait(Top, Irp, &Iosb);
}

/* ---- Flush, purge ------------------------------------------------------------------------------------------------ */

static LONGLONG CcpEndOf(PLARGE_INTEGER Offset, ULONG Length)
{
    const LONGLONG Most = MAXLONGLONG - CCP_VIEW_BYTES;
    return Offset && Length ? Offset->QuadPart + Length : Most;
}

VOID NTAPI CcFlushCache(PSECTION_OBJECT_POINTERS Section, PLARGE_INTEGER Offset, ULONG Length, PIO_STATUS_BLOCK Iosb)
{
    PCCP_MAP Map = Section ? Section->SharedCacheMap : NULL;
    IO_STATUS_BLOCK Unused;
    if (!Iosb)
        Iosb = &Unused;
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = 0;
    if (!Map) {
        ULONG Written = 0;
        if (Section && Section->DataSectionObject)
            Iosb->Status = MiFlushData(Section->DataSectionObject, Offset ? (UINT64)Offset->QuadPart : 0,
                                       (UINT64)CcpEndOf(Offset, Length), &Written);
        Iosb->Information = Written;
        return;
    }
    Map->OpenCount++; /* it stays while we write */
    MiNoteWrites(Section->DataSectionObject, Offset ? (UINT64)Offset->QuadPart : 0, (UINT64)CcpEndOf(Offset, Length));
    Iosb->Status = CcpWriteRange(Map, Offset ? Offset->QuadPart : 0, CcpEndOf(Offset, Length), &Iosb->Information);
    if (NT_SUCCESS(Iosb->Status))
        CcpTellValidData(Map);
    Map->OpenCount--;
    CcpTryDelete(Map);
}

static VOID CcpDropPrivate(PCCP_MAP Map, PFILE_OBJECT File)
{
    PCCP_PRIVATE Private = File->PrivateCacheMap;
    if (!Private)
        return;
    File->PrivateCacheMap = NULL;
    Map->OpenCount--;
    ExpFree(Private);
}

BOOLEAN NTAPI CcPurgeCacheSection(PSECTION_OBJECT_POINTERS Section, PLARGE_INTEGER Offset, ULONG Length, ULONG Flags)
{
    PCCP_MAP Map = Section ? Section->SharedCacheMap : NULL;
    UINT64 Start = Offset ? (UINT64)Offset->QuadPart : 0;
    if (Section && !MiPurgeData(Section->DataSectionObject, Start, (UINT64)CcpEndOf(Offset, Length)))
        return FALSE; /* docs: not while somebody maps the file */
    if (!Map)
        return TRUE;
    if (Flags & UNINITIALIZE_CACHE_MAPS)
        CcpDropPrivate(Map, Map->File);
    BOOLEAN All = CcpDiscard(Map, (LONGLONG)Start, CcpEndOf(Offset, Length), !(Flags & DO_NOT_PURGE_DIRTY_PAGES));
    if (Flags & UNINITIALIZE_CACHE_MAPS)
        CcpTryDelete(Map);
    return All;
}

/* docs: CcCoherencyFlushAndPurgeCache. */
VOID NTAPI CcCoherencyFlushAndPurgeCache(PSECTION_OBJECT_POINTERS Section, PLARGE_INTEGER Offset, ULONG Length,
                                         PIO_STATUS_BLOCK Iosb, ULONG Flags)
{
    CcFlushCache(Section, Offset, Length, Iosb);
    if (NT_SUCCESS(Iosb->Status) && !(Flags & CC_FLUSH_AND_PURGE_NO_PURGE) &&
        !CcPurgeCacheSection(Section, Offset, Length, DO_NOT_PURGE_DIRTY_PAGES))
        Iosb->Status = STATUS_CACHE_PAGE_LOCKED;
}

/* ---- Deleted ----------------------------------------------------------------------------------------------------- */

static VOID CcpDeleteMap(PCCP_MAP Map)
{
    PFILE_OBJECT File = Map->File;
    PCACHE_UNINITIALIZE_EVENT Waiting = Map->Waiting;
    CcpForgetDirty(Map, 0, MAXLONGLONG);
    CcpFreeViews(Map);
    RemoveEntryList(&Map->Entry);
    Map->Section->SharedCacheMap = NULL;
    ExpFree(Map);
    while (Waiting) {
        PCACHE_UNINITIALIZE_EVENT Next = Waiting->Next;
        KeSetEvent(&Waiting->Event, IO_NO_INCREMENT, FALSE);
        Waiting = Next;
    }
    ObfDereferenceObject(File);
}

static BOOLEAN CcpIsMapped(PCCP_MAP Map)
{
    for (ULONG i = 0; i < Map->Views; i++)
        if (Map->View[i] && (Map->View[i]->Mapped || Map->View[i]->Busy))
            return TRUE;
    return FALSE;
}

BOOLEAN CcpTryDelete(PCCP_MAP Map)
{
    if (Map->OpenCount || Map->DirtyPages || Map->Writing || !MiLeaveCache(Map->Section->DataSectionObject) ||
        Map->DirtyPages || CcpIsMapped(Map))
        return FALSE;
    CcpDeleteMap(Map);
    return TRUE;
}

/* docs: CcUninitializeCacheMap: with a truncation what lies beyond needs no writing. TRUE: the file is out of the
 * cache. */
BOOLEAN NTAPI CcUninitializeCacheMap(PFILE_OBJECT File, PLARGE_INTEGER Truncate, PCACHE_UNINITIALIZE_EVENT Event)
{
    PCCP_MAP Map = File->SectionObjectPointer ? CcpMapOf(File) : NULL;
    if (Map && File->PrivateCacheMap)
        CcpDropPrivate(Map, File);
    if (!Map) {
        if (Event)
            KeSetEvent(&Event->Event, IO_NO_INCREMENT, FALSE);
        return TRUE;
    }
    if (Truncate && !Map->OpenCount) {
        CcpDiscard(Map, (Truncate->QuadPart + PAGE_SIZE - 1) & ~(PAGE_SIZE - 1ll), MAXLONGLONG - CCP_VIEW_BYTES, TRUE);
        if (Truncate->QuadPart < Map->FileSize.QuadPart) {
            Map->FileSize = *Truncate;
            if (Map->ValidGoal.QuadPart != MAXLONGLONG && Map->ValidGoal.QuadPart > Truncate->QuadPart)
                Map->ValidGoal = *Truncate;
        }
    }
    if (Event) {
        Event->Next = Map->Waiting;
        Map->Waiting = Event;
    }
    if (CcpTryDelete(Map))
        return TRUE;
    if (!Map->OpenCount)
        CcpWake();    /* what is dirty is written, then the map goes */
    else if (Event) { /* docs: the event is for the last one */
        Map->Waiting = Event->Next;
        KeSetEvent(&Event->Event, IO_NO_INCREMENT, FALSE);
    }
    return FALSE;
}

/* ---- Attributes and questions ------------------------------------------------------------------------------------ */

VOID NTAPI CcSetAdditionalCacheAttributes(PFILE_OBJECT File, BOOLEAN NoReadAhead, BOOLEAN NoWriteBehind)
{
    CcpMapOf(File)->NoReadAhead = NoReadAhead;
    CcpMapOf(File)->NoWriteBehind = NoWriteBehind;
}

VOID NTAPI CcSetAdditionalCacheAttributesEx(PFILE_OBJECT File, ULONG Flags)
{
    CcSetAdditionalCacheAttributes(File, (Flags & CC_DISABLE_READ_AHEAD) != 0, (Flags & CC_DISABLE_WRITE_BEHIND) != 0);
    CcpMapOf(File)->UnmapBehind = (Flags & CC_AGGRESSIVE_UNMAP_BEHIND) != 0;
}

VOID NTAPI CcSetReadAheadGranularity(PFILE_OBJECT File, ULONG Granularity)
{
    ((PCCP_PRIVATE)File->PrivateCacheMap)->ReadAheadMask = Granularity - 1;
}

VOID NTAPI CcSetDirtyPageThreshold(PFILE_OBJECT File, ULONG Pages)
{
    CcpMapOf(File)->DirtyThreshold = Pages;
}

VOID NTAPI CcSetLogHandleForFile(PFILE_OBJECT File, PVOID LogHandle, PFLUSH_TO_LSN FlushToLsn)
{
    CcpMapOf(File)->LogHandle = LogHandle;
    CcpMapOf(File)->FlushToLsn = FlushToLsn;
}

PFILE_OBJECT NTAPI CcGetFileObjectFromSectionPtrs(PSECTION_OBJECT_POINTERS Section)
{
    return Section->SharedCacheMap ? ((PCCP_MAP)Section->SharedCacheMap)->File : NULL;
}

PFILE_OBJECT NTAPI CcGetFileObjectFromSectionPtrsRef(PSECTION_OBJECT_POINTERS Section)
{
    PFILE_OBJECT File = CcGetFileObjectFromSectionPtrs(Section);
    if (File)
        ObfReferenceObject(File);
    return File;
}

/* docs: CcGetFlushedValidData: up to the first byte that is not on disk yet. */
LARGE_INTEGER NTAPI CcGetFlushedValidData(PSECTION_OBJECT_POINTERS Section, BOOLEAN BcbListHeld)
{
    PCCP_MAP Map = Section->SharedCacheMap;
    LARGE_INTEGER Valid = {.QuadPart = MAXLONGLONG};
    if (!Map)
        return Valid;
    Valid = Map->ValidGoal;
    for (ULONG i = 0; i < Map->Views; i++)
        if (Map->View[i] && Map->View[i]->Dirty) {
            LONGLONG First = Map->View[i]->Offset + (LONGLONG)__builtin_ctzll(Map->View[i]->Dirty) * PAGE_SIZE;
            if (First < Valid.QuadPart)
                Valid.QuadPart = First;
            break;
        }
    return Valid;
}

BOOLEAN NTAPI CcIsThereDirtyDataEx(PVPB Vpb, PULONG Pages)
{
    ULONG Dirty = 0;
    for (PLIST_ENTRY Entry = CcpMaps.Flink; Entry != &CcpMaps; Entry = Entry->Flink) {
        PCCP_MAP Map = CONTAINING_RECORD(Entry, CCP_MAP, Entry);
        if (Map->File->Vpb == Vpb && !(Map->File->Flags & FO_TEMPORARY_FILE))
            Dirty += Map->DirtyPages;
    }
    if (Pages)
        *Pages = Dirty;
    return Dirty != 0;
}

BOOLEAN NTAPI CcIsThereDirtyData(PVPB Vpb)
{
    return CcIsThereDirtyDataEx(Vpb, NULL);
}
