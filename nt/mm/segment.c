/*
 * Segments of sections; see segment.h. A page of a file is read when it is touched first, by a paging read; what was written
 * goes back when it is flushed, and when the last section and view are gone.
 */
#include "nt.h"
#include "mm/segment.h"
#include "cc/ccp.h"

#define MI_DIRTY 1ull
#define MI_CACHED 2ull /* the page is the cache's */

UINT64 *MiSegmentEntry(PMI_SEGMENT Segment, UINT64 Offset, BOOLEAN Make)
{
    UINT64 Page = Offset / DOOR_PAGE, Physical;

    if (Offset >= Segment->Bytes)
        return NULL;
    if (!Segment->Leaf[Page / MI_LEAF]) {
        Physical = Make ? MiAllocatePages(1) : 0;
        if (!Physical)
            return NULL;
        Segment->Leaf[Page / MI_LEAF] = MiLinear(Physical);
    }
    return &Segment->Leaf[Page / MI_LEAF][Page % MI_LEAF];
}

static UINT64 MiLeaves(UINT64 Bytes)
{
    return (Bytes / DOOR_PAGE + MI_LEAF) / MI_LEAF;
}

PMI_SEGMENT MiMakeSegment(UINT64 Bytes, PFILE_OBJECT File)
{
    PMI_SEGMENT Segment = ExpTryAllocate(sizeof(*Segment), MI_TAG_SEGMENT);

    if (!Segment)
        return NULL;
    Segment->Bytes = (Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    Segment->Leaf = ExpTryAllocate(MiLeaves(Segment->Bytes) * sizeof(UINT64 *), MI_TAG_SEGMENT);
    if (!Segment->Leaf) {
        ExpFree(Segment);
        return NULL;
    }
    KeInitializeMutex(&Segment->Paging, 0);
    Segment->File = File;
    if (File)
        ObfReferenceObject(File);
    return Segment;
}

/* A section of the same file wants more room. */
static BOOLEAN MiGrowSegment(PMI_SEGMENT Segment, UINT64 Bytes)
{
    UINT64 **Leaf, Old = MiLeaves(Segment->Bytes);

    Bytes = (Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    if (Bytes <= Segment->Bytes)
        return TRUE;
    Leaf = ExpTryAllocate(MiLeaves(Bytes) * sizeof(UINT64 *), MI_TAG_SEGMENT);
    if (!Leaf)
        return FALSE;
    RtlCopyMemory(Leaf, Segment->Leaf, Old * sizeof(UINT64 *));
    ExpFree(Segment->Leaf);
    Segment->Leaf = Leaf;
    Segment->Bytes = Bytes;
    return TRUE;
}

/* Of a file's data; NULL = of something else. */
static PSECTION_OBJECT_POINTERS MiPointersOf(PMI_SEGMENT Segment)
{
    return Segment->File && !Segment->Image && Segment->Home
               ? CONTAINING_RECORD(Segment->Home, SECTION_OBJECT_POINTERS, DataSectionObject)
               : NULL;
}

static PCCP_MAP MiCacheOf(PMI_SEGMENT Segment)
{
    PSECTION_OBJECT_POINTERS Pointers = MiPointersOf(Segment);
    return Pointers ? Pointers->SharedCacheMap : NULL;
}

static VOID MiDropSegmentPage(PMI_SEGMENT Segment, UINT64 Offset, UINT64 *Entry)
{
    if (*Entry & MI_CACHED)
        CcpUnshare(MiCacheOf(Segment), (LONGLONG)Offset);
    else if (MI_ENTRY_PHYSICAL(*Entry))
        MiFreeUserPage(MI_ENTRY_PHYSICAL(*Entry));
    *Entry = 0;
}

/* The next page from *Offset on that has memory; *Offset is then its own. NULL = none before End. */
static UINT64 *MiNextPage(PMI_SEGMENT Segment, UINT64 *Offset, UINT64 End)
{
    if (End > Segment->Bytes)
        End = Segment->Bytes;
    for (*Offset &= ~(DOOR_PAGE - 1); *Offset < End;) {
        UINT64 *Entry = MiSegmentEntry(Segment, *Offset, FALSE);
        if (Entry && MI_ENTRY_PHYSICAL(*Entry))
            return Entry;
        *Offset = Entry ? *Offset + DOOR_PAGE : (*Offset / (MI_LEAF * DOOR_PAGE) + 1) * MI_LEAF * DOOR_PAGE;
    }
    return NULL;
}

static VOID MiDropPages(PMI_SEGMENT Segment, UINT64 Start, UINT64 End)
{
    for (UINT64 *Entry; (Entry = MiNextPage(Segment, &Start, End)) != NULL; Start += DOOR_PAGE)
        MiDropSegmentPage(Segment, Start, Entry);
}

VOID MiFreeSegment(PMI_SEGMENT Segment)
{
    PSECTION_OBJECT_POINTERS Pointers = MiPointersOf(Segment);
    MiDropPages(Segment, 0, Segment->Bytes);
    if (Segment->Home)
        *Segment->Home = NULL;
    if (Pointers && Pointers->SharedCacheMap)
        CcpTryDelete(Pointers->SharedCacheMap); /* it may have stayed for our pages only */
    for (UINT64 Leaf = 0; Leaf < MiLeaves(Segment->Bytes); Leaf++)
        if (Segment->Leaf[Leaf])
            MiFreePages((UINT64)Segment->Leaf[Leaf] - DOOR_LINEAR_BASE, 1);
    if (Segment->File)
        ObfDereferenceObject(Segment->File);
    if (Segment->Part)
        ExpFree(Segment->Part);
    ExpFree(Segment->Leaf);
    ExpFree(Segment);
}

VOID MiDereferenceSegment(PMI_SEGMENT Segment)
{
    if (Segment->References == 1 && Segment->File && !Segment->Image) /* it may be wanted again meanwhile */
        MiFlushSegment(Segment, 0, Segment->Bytes, NULL);
    if (!--Segment->References)
        MiFreeSegment(Segment);
}

/* ---- Paging ----------------------------------------------------------------------------------------------------- */

NTSTATUS MiFileSize(PFILE_OBJECT File, PLONGLONG Size)
{
    FILE_STANDARD_INFORMATION Information;
    ULONG Returned;
    NTSTATUS Status =
        IoQueryFileInformation(File, FileStandardInformation, sizeof(Information), &Information, &Returned);

    *Size = NT_SUCCESS(Status) ? Information.EndOfFile.QuadPart : 0;
    return Status;
}

NTSTATUS MiPageFile(PFILE_OBJECT File, UINT64 Physical, UINT64 Offset, BOOLEAN Write)
{
    IO_STATUS_BLOCK Iosb;
    return CcpPageTransfer(File, MiLinear(Physical), (LONGLONG)Offset, DOOR_PAGE, Write, &Iosb);
}

static NTSTATUS MiFillPage(PMI_SEGMENT Segment, UINT64 Offset)
{
    UINT64 *Entry = MiSegmentEntry(Segment, Offset, TRUE), Physical;
    NTSTATUS Status = STATUS_SUCCESS;

    if (!Entry)
        return Offset < Segment->Bytes ? STATUS_NO_MEMORY : STATUS_ACCESS_VIOLATION;
    if (MI_ENTRY_PHYSICAL(*Entry))
        return STATUS_SUCCESS;
    if (MiCacheOf(Segment)) {
        Status = CcpShare(MiCacheOf(Segment), (LONGLONG)Offset, &Physical);
        if (!NT_SUCCESS(Status))
            return Status == STATUS_INSUFFICIENT_RESOURCES ? STATUS_NO_MEMORY : STATUS_IN_PAGE_ERROR;
        *MiSegmentEntry(Segment, Offset, FALSE) |= Physical | MI_CACHED;
        return STATUS_SUCCESS;
    }
    if (!(Physical = MiAllocatePages(1)))
        return STATUS_NO_MEMORY;
    MiSetPages(Physical, 1, MiUseSection, 0, NULL);
    if (Segment->File && !Segment->Image) /* an image's own pages are there already, others are zero */
        Status = MiPageFile(Segment->File, Physical, Offset, FALSE);
    if (!NT_SUCCESS(Status) && Status != STATUS_END_OF_FILE) {
        MiFreePages(Physical, 1);
        return STATUS_IN_PAGE_ERROR;
    }
    *Entry |= Physical;
    return STATUS_SUCCESS;
}

UINT64 MiSegmentPage(PMI_SEGMENT Segment, UINT64 Offset, BOOLEAN Write, NTSTATUS *Status)
{
    UINT64 *Entry;

    if (Segment->Physical) {
        Offset &= ~(DOOR_PAGE - 1);
        *Status = Offset && Offset < Segment->Bytes ? STATUS_SUCCESS : STATUS_ACCESS_VIOLATION;
        return NT_SUCCESS(*Status) ? Offset : 0;
    }
    Entry = MiSegmentEntry(Segment, Offset, FALSE);
    if (!Entry || !MI_ENTRY_PHYSICAL(*Entry)) {
        if (Segment->File)
            KeWaitForSingleObject(&Segment->Paging, WrPageIn, KernelMode, FALSE, NULL);
        *Status = MiFillPage(Segment, Offset);
        if (Segment->File)
            KeReleaseMutex(&Segment->Paging, FALSE);
        if (!NT_SUCCESS(*Status))
            return 0;
        Entry = MiSegmentEntry(Segment, Offset, FALSE);
    }
    if (Write && !Segment->Image)
        *Entry |= MI_DIRTY;
    *Status = STATUS_SUCCESS;
    return MI_ENTRY_PHYSICAL(*Entry);
}

static NTSTATUS MiReadCached(PCCP_MAP Map, LONGLONG Offset)
{
    UINT64 Physical;
    NTSTATUS Status = CcpShare(Map, Offset, &Physical);
    if (NT_SUCCESS(Status))
        CcpUnshare(Map, Offset); /* it stays as long as any other page that was read */
    return Status;
}

/* Of a file that is mapped or cached; pages behind its end are passed over. */
static NTSTATUS MiPrefetchList(PREAD_LIST List)
{
    PSECTION_OBJECT_POINTERS Pointers = List->FileObject->SectionObjectPointer;
    PMI_SEGMENT Segment = !Pointers ? NULL : List->IsImage ? Pointers->ImageSectionObject : Pointers->DataSectionObject;
    PCCP_MAP Map = Pointers && !List->IsImage ? Pointers->SharedCacheMap : NULL;
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG i;

    if (!Segment && !Map)
        return STATUS_INVALID_PARAMETER;
    if (Segment)
        Segment->References++;
    for (i = 0; i < List->NumberOfEntries && NT_SUCCESS(Status); i++) {
        UINT64 Offset = List->List[i].Alignment & ~(DOOR_PAGE - 1);
        if (Segment && Offset < Segment->Bytes)
            MiSegmentPage(Segment, Offset, FALSE, &Status);
        else if (!Segment && (LONGLONG)Offset < Map->FileSize.QuadPart)
            Status = MiReadCached(Map, (LONGLONG)Offset);
    }
    if (Segment)
        MiDereferenceSegment(Segment);
    return Status;
}

NTSTATUS NTAPI MmPrefetchPages(ULONG NumberOfLists, PREAD_LIST *ReadLists)
{
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG i = 0; i < NumberOfLists && NT_SUCCESS(Status); i++)
        Status = MiPrefetchList(ReadLists[i]);
    return Status;
}

VOID MiSectionUnmapped(PMI_SEGMENT Segment)
{
    Segment->Views--;
    MiDereferenceSegment(Segment);
}

NTSTATUS MiFlushSegment(PMI_SEGMENT Segment, UINT64 Start, UINT64 End, PULONG Written)
{
    NTSTATUS Status = STATUS_SUCCESS;
    ULONG_PTR Flushed = 0;
    LONGLONG Size;

    if (!Segment->File || Segment->Image || !NT_SUCCESS(MiFileSize(Segment->File, &Size)))
        return STATUS_SUCCESS;
    if (End > (UINT64)Size)
        End = (UINT64)Size;
    MiCloseUserWindows(); /* the next write is seen */
    if (MiCacheOf(Segment)) {
        MiNoteWrites(Segment, Start, End);
        Status = CcpWriteRange(MiCacheOf(Segment), (LONGLONG)(Start & ~(DOOR_PAGE - 1)), (LONGLONG)End, &Flushed);
        if (Written)
            *Written += (ULONG)Flushed;
        return Status;
    }
    for (UINT64 *Entry; NT_SUCCESS(Status) && (Entry = MiNextPage(Segment, &Start, End)) != NULL; Start += DOOR_PAGE) {
        if (!(*Entry & MI_DIRTY) && !Segment->SystemViews)
            continue;
        *Entry &= ~MI_DIRTY;
        Status = MiPageFile(Segment->File, MI_ENTRY_PHYSICAL(*Entry), Start, TRUE);
        if (Written)
            *Written += DOOR_PAGE;
    }
    return Status;
}

/* ---- One copy with the cache -------------------------------------------------------------------------------------- */

/* A page of a view in system space stays where it is: what was read before the file was cached is kept the same by copying
 * when it is looked for what was written. */
VOID MiNoteWrites(PVOID Data, UINT64 Start, UINT64 End)
{
    PMI_SEGMENT Segment = Data;
    PCCP_MAP Map = Segment ? MiCacheOf(Segment) : NULL;

    if (!Map)
        return;
    MiCloseUserWindows();
    for (UINT64 *Entry; (Entry = MiNextPage(Segment, &Start, End)) != NULL; Start += DOOR_PAGE) {
        if (!(*Entry & MI_DIRTY) && !Segment->SystemViews)
            continue;
        *Entry &= ~MI_DIRTY;
        CcpShareDirty(Map, (LONGLONG)Start, *Entry & MI_CACHED ? NULL : MiLinear(MI_ENTRY_PHYSICAL(*Entry)));
    }
}

NTSTATUS MiFlushData(PVOID Data, UINT64 Start, UINT64 End, PULONG Written)
{
    PMI_SEGMENT Segment = Data;
    Segment->References++;
    NTSTATUS Status = MiFlushSegment(Segment, Start, End, Written);
    MiDereferenceSegment(Segment);
    return Status;
}

VOID MiJoinCache(PVOID Data)
{
    PMI_SEGMENT Segment = Data;
    UINT64 Offset = 0, Physical;

    if (!Segment || Segment->SystemViews)
        return;
    MiCloseUserWindows();
    for (UINT64 *Entry; (Entry = MiNextPage(Segment, &Offset, Segment->Bytes)) != NULL; Offset += DOOR_PAGE) {
        UINT64 Old = MI_ENTRY_PHYSICAL(*Entry);
        if ((*Entry & MI_CACHED) || !CcpShareThis(MiCacheOf(Segment), (LONGLONG)Offset, MiLinear(Old), &Physical))
            continue;
        *Entry = Physical | MI_CACHED | (*Entry & MI_DIRTY);
        MiFreeUserPage(Old);
    }
}

BOOLEAN MiLeaveCache(PVOID Data)
{
    PMI_SEGMENT Segment = Data;
    UINT64 Offset = 0, Physical;

    if (!Segment)
        return TRUE;
    if (Segment->SystemViews)
        return FALSE;
    MiNoteWrites(Segment, 0, Segment->Bytes);
    for (UINT64 *Entry; (Entry = MiNextPage(Segment, &Offset, Segment->Bytes)) != NULL; Offset += DOOR_PAGE) {
        if (!(*Entry & MI_CACHED))
            continue;
        if (!(Physical = MiAllocatePages(1)))
            return FALSE;
        MiSetPages(Physical, 1, MiUseSection, 0, NULL);
        __movsq(MiLinear(Physical), MiLinear(MI_ENTRY_PHYSICAL(*Entry)), DOOR_PAGE / 8);
        CcpUnshare(MiCacheOf(Segment), (LONGLONG)Offset);
        *Entry = Physical;
    }
    return TRUE;
}

BOOLEAN MiPurgeData(PVOID Data, UINT64 Start, UINT64 End)
{
    PMI_SEGMENT Segment = Data;

    if (!Segment || !MiNextPage(Segment, &Start, End))
        return TRUE;
    if (Segment->Views || Segment->SystemViews)
        return FALSE;
    MiDropPages(Segment, Start, End);
    return TRUE;
}

VOID MiRefreshData(PVOID Data, UINT64 Start, UINT64 End)
{
    PMI_SEGMENT Segment = Data;

    if (!Segment || MiCacheOf(Segment))
        return;
    for (UINT64 *Entry; (Entry = MiNextPage(Segment, &Start, End)) != NULL; Start += DOOR_PAGE)
        MiPageFile(Segment->File, MI_ENTRY_PHYSICAL(*Entry), Start, FALSE);
}

/* ---- Of a file -------------------------------------------------------------------------------------------------- */

NTSTATUS MiSegmentOfFile(PFILE_OBJECT File, BOOLEAN Image, UINT64 Bytes, PMI_SEGMENT *Segment)
{
    PSECTION_OBJECT_POINTERS Pointers = File->SectionObjectPointer;
    PVOID *Home = !Pointers ? NULL : Image ? &Pointers->ImageSectionObject : &Pointers->DataSectionObject;
    NTSTATUS Status = STATUS_SUCCESS;

    if (!Home)
        return STATUS_INVALID_FILE_FOR_SECTION;
    *Segment = *Home;
    if (!*Segment && Image)
        Status = MiMakeImage(File, Segment);
    else if (!*Segment && !(*Segment = MiMakeSegment(Bytes, File)))
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(Status))
        return Status;
    (*Segment)->Home = Home;
    *Home = *Segment;
    if (!Image && !MiGrowSegment(*Segment, Bytes))
        return STATUS_INSUFFICIENT_RESOURCES;
    (*Segment)->References++;
    return STATUS_SUCCESS;
}
