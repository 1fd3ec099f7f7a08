/*
 * Segments of sections; see segment.h. A page of a file is read when it is touched first, by a paging read; what was written
 * goes back when it is flushed, and when the last section and view are gone.
 */
#include "nt.h"
#include "mm/segment.h"

#define MI_DIRTY 1ull

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

VOID MiFreeSegment(PMI_SEGMENT Segment)
{
    if (Segment->File && !Segment->Image)
        MiFlushSegment(Segment, 0, Segment->Bytes, NULL);
    if (Segment->Home)
        *Segment->Home = NULL;
    for (UINT64 Leaf = 0; Leaf < MiLeaves(Segment->Bytes); Leaf++) {
        for (ULONG i = 0; Segment->Leaf[Leaf] && i < MI_LEAF; i++)
            if (MI_ENTRY_PHYSICAL(Segment->Leaf[Leaf][i]))
                MiFreeUserPage(MI_ENTRY_PHYSICAL(Segment->Leaf[Leaf][i]));
        if (Segment->Leaf[Leaf])
            MiFreePages((UINT64)Segment->Leaf[Leaf] - DOOR_LINEAR_BASE, 1);
    }
    if (Segment->File)
        ObfDereferenceObject(Segment->File);
    ExpFree(Segment->Leaf);
    ExpFree(Segment);
}

VOID MiDereferenceSegment(PMI_SEGMENT Segment)
{
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

/* Pages of a file from or to memory that lies in one piece: a paging request, whose end needs no APC. */
NTSTATUS MiPageFile(PFILE_OBJECT File, UINT64 Physical, UINT64 Offset, ULONG Bytes, BOOLEAN Write)
{
    PDEVICE_OBJECT Device = IoGetRelatedDeviceObject(File);
    PIRP Irp = IopAllocateIrp(Device->StackSize, File);
    PMDL Mdl = Irp ? IoAllocateMdl(MiLinear(Physical), Bytes, FALSE, FALSE, NULL) : NULL;
    IO_STATUS_BLOCK Iosb = {0};
    PIO_STACK_LOCATION Stack;
    NTSTATUS Status;

    if (!Mdl) {
        if (Irp)
            IoFreeIrp(Irp);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MmBuildMdlForNonPagedPool(Mdl);
    Irp->MdlAddress = Mdl;
    Irp->UserBuffer = Irp->AssociatedIrp.SystemBuffer = MiLinear(Physical);
    Irp->Flags = IRP_PAGING_IO | IRP_SYNCHRONOUS_PAGING_IO | IRP_NOCACHE;
    Stack = IoGetNextIrpStackLocation(Irp);
    Stack->MajorFunction = Write ? IRP_MJ_WRITE : IRP_MJ_READ;
    Stack->FileObject = File;
    Stack->Parameters.Read.Length = Bytes;
    Stack->Parameters.Read.ByteOffset.QuadPart = (LONGLONG)Offset;
    Status = IopCallAndWait(Device, Irp, &Iosb);
    IoFreeMdl(Mdl);
    return Status;
}

static NTSTATUS MiFillPage(PMI_SEGMENT Segment, UINT64 Offset)
{
    UINT64 *Entry = MiSegmentEntry(Segment, Offset, TRUE), Physical;
    NTSTATUS Status = STATUS_SUCCESS;

    if (!Entry)
        return Offset < Segment->Bytes ? STATUS_NO_MEMORY : STATUS_ACCESS_VIOLATION;
    if (MI_ENTRY_PHYSICAL(*Entry))
        return STATUS_SUCCESS;
    if (!(Physical = MiAllocatePages(1)))
        return STATUS_NO_MEMORY;
    MiSetPages(Physical, 1, MiUseSection, 0, NULL);
    if (Segment->File)
        Status = MiPageFile(Segment->File, Physical, Offset, DOOR_PAGE, FALSE);
    if (!NT_SUCCESS(Status) && Status != STATUS_END_OF_FILE) {
        MiFreePages(Physical, 1);
        return STATUS_IN_PAGE_ERROR;
    }
    *Entry |= Physical;
    return STATUS_SUCCESS;
}

UINT64 MiSegmentPage(PMI_SEGMENT Segment, UINT64 Offset, BOOLEAN Write, NTSTATUS *Status)
{
    UINT64 *Entry = MiSegmentEntry(Segment, Offset, FALSE);

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
    if (Write)
        *Entry |= MI_DIRTY;
    *Status = STATUS_SUCCESS;
    return MI_ENTRY_PHYSICAL(*Entry);
}

VOID MiSectionUnmapped(PMI_SEGMENT Segment)
{
    Segment->Views--;
    MiDereferenceSegment(Segment);
}

NTSTATUS MiFlushSegment(PMI_SEGMENT Segment, UINT64 Start, UINT64 End, PULONG Written)
{
    NTSTATUS Status = STATUS_SUCCESS;
    LONGLONG Size;

    if (!Segment->File || Segment->Image || !NT_SUCCESS(MiFileSize(Segment->File, &Size)))
        return STATUS_SUCCESS;
    MiCloseUserWindows(); /* the next write is seen */
    for (UINT64 Offset = Start & ~(DOOR_PAGE - 1); Offset < End && Offset < (UINT64)Size && NT_SUCCESS(Status);
         Offset += DOOR_PAGE) {
        UINT64 *Entry = MiSegmentEntry(Segment, Offset, FALSE);
        ULONG Bytes = (UINT64)Size - Offset < DOOR_PAGE ? (ULONG)((UINT64)Size - Offset) : (ULONG)DOOR_PAGE;
        if (!Entry || !MI_ENTRY_PHYSICAL(*Entry) || !((*Entry & MI_DIRTY) || Segment->SystemViews))
            continue;
        *Entry &= ~MI_DIRTY;
        Status = MiPageFile(Segment->File, MI_ENTRY_PHYSICAL(*Entry), Offset, Bytes, TRUE);
        if (Written)
            *Written += Bytes;
    }
    return Status;
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
