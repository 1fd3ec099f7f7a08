/*
 * Sections: memory that several processes see, with or without a file behind it.
 *
 * What is shared is a segment: the words of its pages, as far as they have memory. All sections of a file's data share one
 * segment (FILE_OBJECT.SectionObjectPointer->DataSectionObject), all its images another. A page of a file is read when it is
 * touched first, by a paging read; what was written goes back when it is flushed, and when the last section and view are
 * gone. (docs: "Section Objects and Views", ZwCreateSection, ZwMapViewOfSection)
 *
 * DIFFERS: views in system space are resident. Images are laid out, not relocated, and have one protection.
 */
#include "nt.h"
#include "mm/space.h"

#define MI_TAG_SEGMENT 'gSmM'
#define MI_DIRTY 1ull
#define MI_LARGEST_IMAGE (256ull << 20)

typedef struct _MI_SEGMENT {
    ULONG References; /* sections and views */
    ULONG Views, WritableSections, SystemViews;
    PFILE_OBJECT File; /* NULL = the paging file's */
    PVOID *Home;       /* the file's pointer to it */
    BOOLEAN Image;
    UINT64 Bytes; /* room for pages */
    UINT64 PreferredBase, Entry;
    USHORT Machine, Subsystem, Characteristics;
    UINT64 **Leaf;
    KMUTEX Paging; /* one read at a time */
} MI_SEGMENT, *PMI_SEGMENT;

typedef struct _MI_SECTION {
    PMI_SEGMENT Segment;
    UINT64 Bytes;
    ULONG Protection, Attributes;
} MI_SECTION, *PMI_SECTION;

typedef struct _MI_SYSTEM_VIEW {
    LIST_ENTRY Entry;
    PMI_SEGMENT Segment;
    PVOID Base;
    UINT64 Pages;
} MI_SYSTEM_VIEW, *PMI_SYSTEM_VIEW;

POBJECT_TYPE MiSectionType;
POBJECT_TYPE *MmSectionObjectType;
static LIST_ENTRY MiSystemViews = {&MiSystemViews, &MiSystemViews};

static NTSTATUS MiFlushSegment(PMI_SEGMENT Segment, UINT64 Start, UINT64 End, PULONG Written);
static NTSTATUS MiFileSize(PFILE_OBJECT File, PLONGLONG Size);

static BOOLEAN MiWritesShared(ULONG Protection)
{
    return (Protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0;
}

/* ---- Segments ------------------------------------------------------------------------------------------------------- */

static UINT64 *MiSegmentEntry(PMI_SEGMENT Segment, UINT64 Offset, BOOLEAN Make)
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

static PMI_SEGMENT MiMakeSegment(UINT64 Bytes, PFILE_OBJECT File)
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

static VOID MiFreeSegment(PMI_SEGMENT Segment)
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

static VOID MiDereferenceSegment(PMI_SEGMENT Segment)
{
    if (!--Segment->References)
        MiFreeSegment(Segment);
}

/* ---- Paging --------------------------------------------------------------------------------------------------------- */

/* Pages of a file from or to memory that lies in one piece: a paging request, whose end needs no APC. */
static NTSTATUS MiPageFile(PFILE_OBJECT File, UINT64 Physical, UINT64 Offset, ULONG Bytes, BOOLEAN Write)
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

/* May wait, so whoever holds a word of a page looks at it anew. */
static UINT64 MiSegmentPage(PMI_SEGMENT Segment, UINT64 Offset, BOOLEAN Write, NTSTATUS *Status)
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

UINT64 MiSectionPage(struct _MI_SEGMENT *Segment, UINT64 Offset, BOOLEAN Write, NTSTATUS *Status)
{
    return MiSegmentPage(Segment, Offset, Write, Status);
}

VOID MiSectionUnmapped(struct _MI_SEGMENT *Segment)
{
    Segment->Views--;
    MiDereferenceSegment(Segment);
}

static NTSTATUS MiFlushSegment(PMI_SEGMENT Segment, UINT64 Start, UINT64 End, PULONG Written)
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

/* ---- Making sections -------------------------------------------------------------------------------------------------- */

static NTSTATUS MiFileSize(PFILE_OBJECT File, PLONGLONG Size)
{
    FILE_STANDARD_INFORMATION Information;
    ULONG Returned;
    NTSTATUS Status =
        IoQueryFileInformation(File, FileStandardInformation, sizeof(Information), &Information, &Returned);

    *Size = NT_SUCCESS(Status) ? Information.EndOfFile.QuadPart : 0;
    return Status;
}

static NTSTATUS MiReadImage(PFILE_OBJECT File, UINT64 Offset, PVOID Buffer, UINT64 Bytes)
{
    UINT64 Physical = MiAllocatePages(1), Done = 0;
    NTSTATUS Status = Physical ? STATUS_SUCCESS : STATUS_NO_MEMORY;

    while (Done < Bytes && NT_SUCCESS(Status)) {
        UINT64 At = Offset + Done, Skip = At & (DOOR_PAGE - 1);
        UINT64 Run = DOOR_PAGE - Skip < Bytes - Done ? DOOR_PAGE - Skip : Bytes - Done;
        __stosq(MiLinear(Physical), 0, DOOR_PAGE / 8);
        Status = MiPageFile(File, Physical, At - Skip, DOOR_PAGE, FALSE);
        if (Status == STATUS_END_OF_FILE)
            Status = STATUS_SUCCESS;
        RtlCopyMemory((PUCHAR)Buffer + Done, (PUCHAR)MiLinear(Physical) + Skip, Run);
        Done += Run;
    }
    if (Physical)
        MiFreePages(Physical, 1);
    return Status;
}

/* The parts of an image's headers that count here; both forms. */
typedef struct _MI_HEADERS {
    UCHAR Bytes[DOOR_PAGE];
    ULONG New, SectionTable;
    USHORT Sections;
    UINT64 ImageBytes, HeaderBytes;
} MI_HEADERS, *PMI_HEADERS;

#define MI_AT(Type, Offset) (*(Type *)(Headers->Bytes + (Offset)))

static NTSTATUS MiReadHeaders(PFILE_OBJECT File, PMI_HEADERS Headers)
{
    NTSTATUS Status = MiReadImage(File, 0, Headers->Bytes, DOOR_PAGE);

    if (!NT_SUCCESS(Status))
        return Status;
    if (MI_AT(USHORT, 0) != 0x5a4d)
        return STATUS_INVALID_IMAGE_NOT_MZ;
    Headers->New = MI_AT(ULONG, 0x3c);
    if (Headers->New > DOOR_PAGE - 0x118 || MI_AT(ULONG, Headers->New) != 0x4550)
        return STATUS_INVALID_IMAGE_FORMAT;
    Headers->Sections = MI_AT(USHORT, Headers->New + 6);
    Headers->SectionTable = Headers->New + 24 + MI_AT(USHORT, Headers->New + 20);
    Headers->ImageBytes = (MI_AT(ULONG, Headers->New + 24 + 56) + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    Headers->HeaderBytes = MI_AT(ULONG, Headers->New + 24 + 60);
    if (!Headers->ImageBytes || Headers->ImageBytes > MI_LARGEST_IMAGE || Headers->HeaderBytes > Headers->ImageBytes ||
        Headers->SectionTable + Headers->Sections * 40ull > DOOR_PAGE)
        return STATUS_INVALID_IMAGE_FORMAT;
    return STATUS_SUCCESS;
}

static NTSTATUS MiLayOut(PMI_SEGMENT Segment, UINT64 Rva, UINT64 Offset, UINT64 Bytes)
{
    PUCHAR Buffer = ExpTryAllocate(DOOR_PAGE, MI_TAG_SEGMENT);
    NTSTATUS Status = Buffer ? STATUS_SUCCESS : STATUS_NO_MEMORY;

    for (UINT64 Done = 0; Done < Bytes && NT_SUCCESS(Status); Done += DOOR_PAGE) {
        UINT64 Run = Bytes - Done < DOOR_PAGE ? Bytes - Done : DOOR_PAGE;
        UINT64 *Entry = MiSegmentEntry(Segment, Rva + Done, TRUE);
        Status = MiReadImage(Segment->File, Offset + Done, Buffer, Run);
        if (!Entry || (!MI_ENTRY_PHYSICAL(*Entry) && !(*Entry = MiAllocatePages(1))))
            Status = STATUS_NO_MEMORY;
        if (!NT_SUCCESS(Status))
            break;
        MiSetPages(MI_ENTRY_PHYSICAL(*Entry), 1, MiUseSection, 0, NULL);
        RtlCopyMemory(MiLinear(MI_ENTRY_PHYSICAL(*Entry)), Buffer, Run);
    }
    if (Buffer)
        ExpFree(Buffer);
    return Status;
}

static NTSTATUS MiMakeImage(PFILE_OBJECT File, PMI_SEGMENT *Result)
{
    PMI_HEADERS Headers = ExpTryAllocate(sizeof(*Headers), MI_TAG_SEGMENT);
    NTSTATUS Status = Headers ? MiReadHeaders(File, Headers) : STATUS_INSUFFICIENT_RESOURCES;
    PMI_SEGMENT Segment = NT_SUCCESS(Status) ? MiMakeSegment(Headers->ImageBytes, File) : NULL;

    if (NT_SUCCESS(Status) && !Segment)
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(Status)) {
        BOOLEAN Is64 = MI_AT(USHORT, Headers->New + 24) == 0x20b;
        Segment->Image = TRUE;
        Segment->Machine = MI_AT(USHORT, Headers->New + 4);
        Segment->Characteristics = MI_AT(USHORT, Headers->New + 22);
        Segment->Subsystem = MI_AT(USHORT, Headers->New + 24 + 68);
        Segment->PreferredBase = Is64 ? MI_AT(UINT64, Headers->New + 24 + 24) : MI_AT(ULONG, Headers->New + 24 + 28);
        Segment->Entry = MI_AT(ULONG, Headers->New + 24 + 16);
        Status = MiLayOut(Segment, 0, 0, Headers->HeaderBytes);
    }
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Headers->Sections; i++) {
        ULONG Row = Headers->SectionTable + i * 40;
        UINT64 Rva = MI_AT(ULONG, Row + 12), Raw = MI_AT(ULONG, Row + 16);
        if (Rva % DOOR_PAGE || Rva + Raw > ((Headers->ImageBytes + 0x1ff) & ~0x1ffull))
            Status = STATUS_INVALID_IMAGE_FORMAT;
        else
            Status = MiLayOut(Segment, Rva, MI_AT(ULONG, Row + 20), Raw);
    }
    if (Headers)
        ExpFree(Headers);
    if (!NT_SUCCESS(Status) && Segment)
        MiFreeSegment(Segment);
    else
        *Result = Segment;
    return Status;
}

/* The file's segment of this kind, made if there is none. Referenced. */
static NTSTATUS MiSegmentOfFile(PFILE_OBJECT File, BOOLEAN Image, UINT64 Bytes, PMI_SEGMENT *Segment)
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

static NTSTATUS MiSizeOfFile(PFILE_OBJECT File, ULONG Protection, UINT64 *Bytes)
{
    FILE_END_OF_FILE_INFORMATION End;
    LONGLONG Size;
    NTSTATUS Status = MiFileSize(File, &Size);

    if (!NT_SUCCESS(Status))
        return Status == STATUS_INVALID_DEVICE_REQUEST ? STATUS_INVALID_FILE_FOR_SECTION : Status;
    if (!*Bytes)
        *Bytes = (UINT64)Size;
    if (!*Bytes)
        return STATUS_MAPPED_FILE_SIZE_ZERO;
    if (*Bytes <= (UINT64)Size)
        return STATUS_SUCCESS;
    if (!MiWritesShared(Protection))
        return STATUS_SECTION_TOO_BIG;
    End.EndOfFile.QuadPart = (LONGLONG)*Bytes;
    return IoSetInformation(File, FileEndOfFileInformation, sizeof(End), &End);
}

static NTSTATUS MiCheckSection(UINT64 Bytes, ULONG Protection, ULONG Attributes, BOOLEAN OfFile)
{
    if (!(Attributes & (SEC_COMMIT | SEC_RESERVE | SEC_IMAGE)) ||
        (Attributes & ~(SEC_COMMIT | SEC_RESERVE | SEC_IMAGE | SEC_NOCACHE | 0x40000000u /* SEC_WRITECOMBINE */ |
                        0x200000u /* SEC_BASED */ | 0x400000u /* SEC_NO_CHANGE */)))
        return STATUS_INVALID_PARAMETER_6;
    if (!MiIsProtection(Protection) || Protection == PAGE_NOACCESS)
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!OfFile && (Attributes & SEC_IMAGE))
        return STATUS_INVALID_FILE_FOR_SECTION;
    if (!OfFile && (!Bytes || Bytes > 1ull << 40))
        return Bytes ? STATUS_SECTION_TOO_BIG : STATUS_INVALID_PARAMETER_4;
    return STATUS_SUCCESS;
}

static NTSTATUS MiMakeSection(PFILE_OBJECT File, UINT64 Bytes, ULONG Protection, ULONG Attributes, PMI_SECTION *Result)
{
    NTSTATUS Status = MiCheckSection(Bytes, Protection, Attributes, File != NULL);
    PMI_SEGMENT Segment = NULL;
    PVOID Body;

    if (NT_SUCCESS(Status) && File && !(Attributes & SEC_IMAGE))
        Status = MiSizeOfFile(File, Protection, &Bytes);
    if (NT_SUCCESS(Status) && File)
        Status = MiSegmentOfFile(File, (Attributes & SEC_IMAGE) != 0, Bytes, &Segment);
    else if (NT_SUCCESS(Status) && (Segment = MiMakeSegment(Bytes, NULL)) != NULL)
        Segment->References = 1;
    if (NT_SUCCESS(Status) && !Segment)
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (!NT_SUCCESS(Status))
        return Status;
    ObpAllocateObject(MiSectionType, sizeof(MI_SECTION), &Body);
    *Result = Body;
    **Result = (MI_SECTION){Segment, Attributes & SEC_IMAGE ? Segment->Bytes : Bytes, Protection, Attributes};
    Segment->WritableSections += MiWritesShared(Protection);
    return STATUS_SUCCESS;
}

static VOID MiDeleteSection(PVOID Body)
{
    PMI_SECTION Section = Body;

    if (!Section->Segment)
        return;
    Section->Segment->WritableSections -= MiWritesShared(Section->Protection);
    MiDereferenceSegment(Section->Segment);
}

/* What a program must be allowed to do with the file for a section of this protection. */
static ULONG MiFileAccess(ULONG Protection)
{
    return MiWritesShared(Protection) ? FILE_READ_DATA | FILE_WRITE_DATA : FILE_READ_DATA;
}

NTSTATUS NTAPI NtCreateSection(PHANDLE SectionHandle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                               PLARGE_INTEGER MaximumSize, ULONG Protection, ULONG AllocationAttributes,
                               HANDLE FileHandle)
{
    UINT64 Bytes = MaximumSize ? (UINT64)MaximumSize->QuadPart : 0;
    PFILE_OBJECT File = NULL;
    PMI_SECTION Section;
    NTSTATUS Status = STATUS_SUCCESS;

    if (FileHandle)
        Status = ObReferenceObjectByHandle(FileHandle, MiFileAccess(Protection), IopFileType, ExGetPreviousMode(),
                                           (PVOID *)&File, NULL);
    if (NT_SUCCESS(Status))
        Status = MiMakeSection(File, Bytes, Protection, AllocationAttributes, &Section);
    if (File)
        ObfDereferenceObject(File);
    return NT_SUCCESS(Status) ? ObpInsertObject(Section, Attributes, Access, SectionHandle) : Status;
}

NTSTATUS NTAPI NtOpenSection(PHANDLE SectionHandle, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes)
{
    return ObpOpen(Attributes, MiSectionType, Access, NULL, SectionHandle);
}

/* Undocumented, used by file systems: as ZwCreateSection, with a pointer for a handle; File may take the handle's place. */
NTSTATUS NTAPI MmCreateSection(PVOID *SectionObject, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                               PLARGE_INTEGER MaximumSize, ULONG Protection, ULONG AllocationAttributes,
                               HANDLE FileHandle, PFILE_OBJECT File)
{
    PMI_SECTION Section;
    NTSTATUS Status = STATUS_SUCCESS;

    if (!File && FileHandle)
        Status = ObReferenceObjectByHandle(FileHandle, MiFileAccess(Protection), IopFileType, ExGetPreviousMode(),
                                           (PVOID *)&File, NULL);
    else if (File)
        ObfReferenceObject(File);
    if (NT_SUCCESS(Status))
        Status = MiMakeSection(File, MaximumSize ? (UINT64)MaximumSize->QuadPart : 0, Protection, AllocationAttributes,
                               &Section);
    if (File)
        ObfDereferenceObject(File);
    *SectionObject = NT_SUCCESS(Status) ? Section : NULL;
    return Status;
}

/* ---- Views ---------------------------------------------------------------------------------------------------------- */

/* May a view of a section made with Of have the protection View? */
static BOOLEAN MiFits(ULONG Of, ULONG View)
{
    if (!MiIsProtection(View) || View == PAGE_NOACCESS)
        return FALSE;
    if (View >= PAGE_EXECUTE && Of < PAGE_EXECUTE)
        return FALSE;
    return !MiWritesShared(View) || MiWritesShared(Of);
}

static NTSTATUS MiMapView(PMI_SECTION Section, PMI_SPACE Space, UINT64 *Base, UINT64 *Offset, UINT64 *Bytes, UINT64 Top,
                          ULONG Protection)
{
    BOOLEAN Image = Section->Segment->Image;
    UINT64 Start = *Base & ~(MI_GRANULARITY - 1), Size;
    PMI_VAD Vad;

    if (Image)
        Protection = PAGE_EXECUTE_WRITECOPY;
    else if (!MiFits(Section->Protection, Protection))
        return STATUS_SECTION_PROTECTION;
    if ((*Base | *Offset) & (MI_GRANULARITY - 1))
        return STATUS_MAPPED_ALIGNMENT;
    if (*Offset >= Section->Bytes || *Bytes > Section->Bytes - *Offset)
        return STATUS_INVALID_VIEW_SIZE;
    Size = ((*Bytes ? *Bytes : Section->Bytes - *Offset) + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    if (!Start && Image && Section->Segment->PreferredBase >= Space->Low &&
        Section->Segment->PreferredBase + Size < Space->High &&
        !MiFirstOverlap(Space, Section->Segment->PreferredBase, Section->Segment->PreferredBase + Size))
        Start = Section->Segment->PreferredBase;
    if (Start && (Start < Space->Low || Start + Size > Space->High || MiFirstOverlap(Space, Start, Start + Size)))
        return STATUS_CONFLICTING_ADDRESSES;
    if (!Start && !(Start = MiChoose(Space, Size, Top)))
        return STATUS_NO_MEMORY;
    Vad = MiInsertVad(Space, Start, Size, Image ? MEM_IMAGE : MEM_MAPPED, Protection);
    if (!Vad)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (!MiSetEntries(Space, Vad, Start, Start + Size, Protection)) {
        MiRemoveVad(Space, Vad);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    Vad->Segment = Section->Segment;
    Vad->Offset = *Offset;
    Section->Segment->References++;
    Section->Segment->Views++;
    *Base = Start;
    *Bytes = Size;
    return Image && Start != Section->Segment->PreferredBase ? STATUS_IMAGE_NOT_AT_BASE : STATUS_SUCCESS;
}

static NTSTATUS MiMapInto(PMI_SECTION Section, PEPROCESS Process, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                          PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize, SECTION_INHERIT Inherit, ULONG Type,
                          ULONG Protection)
{
    UINT64 Base = (UINT64)*BaseAddress, Offset = SectionOffset ? (UINT64)SectionOffset->QuadPart : 0, Bytes = *ViewSize;
    UINT64 Top = ZeroBits >= 32 ? ZeroBits + 1 : ZeroBits ? 1ull << (32 - ZeroBits) : DOOR_USER_END;
    NTSTATUS Status;

    if (Inherit != ViewShare && Inherit != ViewUnmap)
        return STATUS_INVALID_PARAMETER_8;
    if (Type & ~(MEM_RESERVE | MEM_TOP_DOWN | 0x40000000u /* MEM_DOS_LIM */))
        return STATUS_INVALID_PARAMETER_9;
    if (Base >= DOOR_USER_END)
        return STATUS_INVALID_PARAMETER_3;
    if (ZeroBits > 21 && ZeroBits < 32)
        return STATUS_INVALID_PARAMETER_4;
    if (!Process->Space || Process->Exited)
        return STATUS_PROCESS_IS_TERMINATING;
    Status = MiMapView(Section, Process->Space, &Base, &Offset, &Bytes, Top,
                       Protection & ~(ULONG)(PAGE_NOCACHE | PAGE_WRITECOMBINE));
    if (!NT_SUCCESS(Status))
        return Status;
    *BaseAddress = (PVOID)Base;
    *ViewSize = Bytes;
    if (SectionOffset)
        SectionOffset->QuadPart = (LONGLONG)Offset;
    return Status;
}

NTSTATUS NTAPI MmMapViewOfSection(PVOID SectionObject, PEPROCESS Process, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                                  SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                                  SECTION_INHERIT Inherit, ULONG AllocationType, ULONG Protect)
{
    return MiMapInto(SectionObject, Process, BaseAddress, ZeroBits, SectionOffset, ViewSize, Inherit, AllocationType,
                     Protect);
}

NTSTATUS NTAPI NtMapViewOfSection(HANDLE SectionHandle, HANDLE ProcessHandle, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                                  SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                                  SECTION_INHERIT Inherit, ULONG AllocationType, ULONG Protect)
{
    ULONG Access = MiWritesShared(Protect) ? SECTION_MAP_WRITE : SECTION_MAP_READ;
    KPROCESSOR_MODE Mode = ExGetPreviousMode();
    PEPROCESS Process;
    PVOID Section;
    NTSTATUS Status;

    Status = ObReferenceObjectByHandle(ProcessHandle, 8 /* PROCESS_VM_OPERATION */, PspProcessType, Mode,
                                       (PVOID *)&Process, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObReferenceObjectByHandle(SectionHandle, Access, MiSectionType, Mode, &Section, NULL);
    if (NT_SUCCESS(Status)) {
        Status = MiMapInto(Section, Process, BaseAddress, ZeroBits, SectionOffset, ViewSize, Inherit, AllocationType,
                           Protect);
        ObfDereferenceObject(Section);
    }
    ObfDereferenceObject(Process);
    return Status;
}

NTSTATUS NTAPI MmUnmapViewOfSection(PEPROCESS Process, PVOID BaseAddress)
{
    PMI_VAD Vad = Process->Space ? MiFindVad(Process->Space, (UINT64)BaseAddress) : NULL;

    if (!Vad || !Vad->Segment)
        return STATUS_NOT_MAPPED_VIEW;
    MiRemoveVad(Process->Space, Vad);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtUnmapViewOfSection(HANDLE ProcessHandle, PVOID BaseAddress)
{
    PEPROCESS Process;
    NTSTATUS Status =
        ObReferenceObjectByHandle(ProcessHandle, 8, PspProcessType, ExGetPreviousMode(), (PVOID *)&Process, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = MmUnmapViewOfSection(Process, BaseAddress);
    ObfDereferenceObject(Process);
    return Status;
}

/* docs: ZwFlushVirtualMemory: the modified pages of a view go to its file. */
NTSTATUS NTAPI NtFlushVirtualMemory(HANDLE ProcessHandle, PVOID *BaseAddress, PSIZE_T RegionSize, PIO_STATUS_BLOCK Iosb)
{
    PEPROCESS Process;
    NTSTATUS Status =
        ObReferenceObjectByHandle(ProcessHandle, 8, PspProcessType, ExGetPreviousMode(), (PVOID *)&Process, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    UINT64 Start = (UINT64)*BaseAddress & ~(DOOR_PAGE - 1);
    PMI_VAD Vad = Process->Space ? MiFindVad(Process->Space, Start) : NULL;
    UINT64 End = *RegionSize ? ((UINT64)*BaseAddress + *RegionSize + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1)
                 : Vad       ? Vad->End
                             : 0;
    ULONG Written = 0;
    if (!Vad || !Vad->Segment || End > Vad->End) {
        Status = STATUS_NOT_MAPPED_VIEW;
    } else {
        PMI_SEGMENT Segment = Vad->Segment;
        UINT64 From = Vad->Offset + (Start - Vad->Start);
        Segment->References++;
        Status = MiFlushSegment(Segment, From, From + (End - Start), &Written);
        MiDereferenceSegment(Segment);
        *BaseAddress = (PVOID)Start;
        *RegionSize = End - Start;
    }
    Iosb->Status = Status;
    Iosb->Information = Written;
    ObfDereferenceObject(Process);
    return Status;
}

/* docs: MmMapViewInSystemSpace. */
NTSTATUS NTAPI MmMapViewInSystemSpace(PVOID SectionObject, PVOID *MappedBase, PSIZE_T ViewSize)
{
    PMI_SECTION Section = SectionObject;
    UINT64 Bytes = *ViewSize ? *ViewSize : Section->Bytes, Pages = (Bytes + DOOR_PAGE - 1) / DOOR_PAGE;
    PMI_SYSTEM_VIEW View;
    PFN_NUMBER *Frames;
    NTSTATUS Status = STATUS_SUCCESS;

    if (Bytes > Section->Bytes)
        return STATUS_INVALID_VIEW_SIZE;
    View = ExpTryAllocate(sizeof(*View), MI_TAG_SEGMENT);
    Frames = View ? ExpTryAllocate(Pages * sizeof(*Frames), MI_TAG_SEGMENT) : NULL;
    for (UINT64 i = 0; Frames && i < Pages && NT_SUCCESS(Status); i++)
        Frames[i] = (PFN_NUMBER)(MiSegmentPage(Section->Segment, i * DOOR_PAGE, FALSE, &Status) / DOOR_PAGE);
    if (Frames && NT_SUCCESS(Status))
        View->Base =
            MiMapFrames(Frames, Pages, MiWritesShared(Section->Protection) ? DOOR_READ | DOOR_WRITE : DOOR_READ);
    if (Frames)
        ExpFree(Frames);
    if (!View || !View->Base) {
        if (View)
            ExpFree(View);
        return NT_SUCCESS(Status) ? STATUS_NO_MEMORY : Status;
    }
    View->Segment = Section->Segment;
    View->Pages = Pages;
    View->Segment->References++;
    View->Segment->SystemViews++;
    InsertTailList(&MiSystemViews, &View->Entry);
    *MappedBase = View->Base;
    *ViewSize = Pages * DOOR_PAGE;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI MmUnmapViewInSystemSpace(PVOID MappedBase)
{
    for (PLIST_ENTRY Entry = MiSystemViews.Flink; Entry != &MiSystemViews; Entry = Entry->Flink) {
        PMI_SYSTEM_VIEW View = CONTAINING_RECORD(Entry, MI_SYSTEM_VIEW, Entry);
        PMI_SEGMENT Segment = View->Segment;
        if (View->Base != MappedBase)
            continue;
        RemoveEntryList(&View->Entry);
        MiUnmapFrames(View->Base, View->Pages);
        ExpFree(View);
        if (Segment->File && !Segment->Image)
            MiFlushSegment(Segment, 0, Segment->Bytes, NULL);
        Segment->SystemViews--;
        MiDereferenceSegment(Segment);
        return STATUS_SUCCESS;
    }
    return STATUS_NOT_MAPPED_VIEW;
}

/* ---- Questions of file systems ---------------------------------------------------------------------------------------- */

/* docs: MmFlushImageSection: TRUE when the file is not in use as an image (or, to delete it, mapped by anybody). */
BOOLEAN NTAPI MmFlushImageSection(PSECTION_OBJECT_POINTERS Pointers, MMFLUSH_TYPE FlushType)
{
    PMI_SEGMENT Data = Pointers->DataSectionObject;

    if (Pointers->ImageSectionObject)
        return FALSE;
    return FlushType != MmFlushForDelete || !Data || (!Data->Views && !Data->WritableSections);
}

/* docs: MmCanFileBeTruncated */
BOOLEAN NTAPI MmCanFileBeTruncated(PSECTION_OBJECT_POINTERS Pointers, PLARGE_INTEGER NewFileSize)
{
    PMI_SEGMENT Data = Pointers->DataSectionObject;

    if (Pointers->ImageSectionObject)
        return FALSE;
    return !Data || (!Data->Views && !Data->SystemViews) ||
           (NewFileSize && (UINT64)NewFileSize->QuadPart >= Data->Bytes);
}

/* docs: MmDoesFileHaveUserWritableReferences */
ULONG NTAPI MmDoesFileHaveUserWritableReferences(PSECTION_OBJECT_POINTERS Pointers)
{
    PMI_SEGMENT Data = Pointers->DataSectionObject;

    return Data ? Data->WritableSections : 0;
}

/* docs: MmForceSectionClosed: what nobody uses any more is gone here at once, so what is left is in use. */
BOOLEAN NTAPI MmForceSectionClosed(PSECTION_OBJECT_POINTERS Pointers, BOOLEAN DelayClose)
{
    if (Pointers->SharedCacheMap)
        CcFlushCache(Pointers, NULL, 0, NULL); /* a cache map that nobody has open goes with its last dirty page */
    return !Pointers->DataSectionObject && !Pointers->ImageSectionObject;
}

/* ---- Query ---------------------------------------------------------------------------------------------------------- */

typedef struct _MI_BASIC_INFORMATION {
    PVOID BaseAddress;
    ULONG Attributes;
    LARGE_INTEGER Size;
} MI_BASIC_INFORMATION;

typedef struct _MI_IMAGE_INFORMATION {
    PVOID TransferAddress;
    ULONG ZeroBits;
    SIZE_T MaximumStackSize, CommittedStackSize;
    ULONG SubSystemType;
    USHORT SubSystemMinor, SubSystemMajor;
    ULONG GpValue;
    USHORT ImageCharacteristics, DllCharacteristics, Machine;
    UCHAR ImageContainsCode, ImageFlags;
    ULONG LoaderFlags, ImageFileSize, CheckSum;
} MI_IMAGE_INFORMATION;
C_ASSERT(sizeof(MI_IMAGE_INFORMATION) == 64);

static NTSTATUS MiAnswer(PMI_SECTION Section, ULONG Class, PVOID Buffer, SIZE_T Bytes, PSIZE_T Returned)
{
    PMI_SEGMENT Segment = Section->Segment;
    MI_BASIC_INFORMATION Basic = {.Attributes = (Section->Attributes & ~0x800000u) |
                                                (Segment->File ? 0x800000u /* SEC_FILE */ : 0),
                                  .Size.QuadPart = (LONGLONG)Section->Bytes};
    MI_IMAGE_INFORMATION Image = {.TransferAddress = (PVOID)(Segment->PreferredBase + Segment->Entry),
                                  .MaximumStackSize = 0x100000,
                                  .CommittedStackSize = 0x1000,
                                  .SubSystemType = Segment->Subsystem,
                                  .ImageCharacteristics = Segment->Characteristics,
                                  .Machine = Segment->Machine,
                                  .ImageContainsCode = 1,
                                  .ImageFileSize = (ULONG)Segment->Bytes};
    SIZE_T Size = Class ? sizeof(Image) : sizeof(Basic);

    if (Class > 1)
        return STATUS_INVALID_INFO_CLASS;
    if (Bytes < Size)
        return STATUS_INFO_LENGTH_MISMATCH;
    if (Class && !Segment->Image)
        return STATUS_SECTION_NOT_IMAGE;
    RtlCopyMemory(Buffer, Class ? (PVOID)&Image : (PVOID)&Basic, Size);
    if (Returned)
        *Returned = Size;
    return STATUS_SUCCESS;
}

/* docs: ZwQuerySection */
NTSTATUS NTAPI NtQuerySection(HANDLE SectionHandle, ULONG Class, PVOID Buffer, SIZE_T Bytes, PSIZE_T Returned)
{
    PVOID Section;
    NTSTATUS Status =
        ObReferenceObjectByHandle(SectionHandle, SECTION_QUERY, MiSectionType, ExGetPreviousMode(), &Section, NULL);

    if (!NT_SUCCESS(Status))
        return Status;
    Status = MiAnswer(Section, Class, Buffer, Bytes, Returned);
    ObfDereferenceObject(Section);
    return Status;
}

/* ---- Start ------------------------------------------------------------------------------------------------------------ */

VOID MmInitializeSections(VOID)
{
    MiSectionType = ObpCreateType(&(OB_TYPE_INIT){
        .Name = L"Section",
        .BodyBytes = sizeof(MI_SECTION),
        .ValidAccess = SECTION_ALL_ACCESS,
        .Mapping = {STANDARD_RIGHTS_READ | SECTION_QUERY | SECTION_MAP_READ, STANDARD_RIGHTS_WRITE | SECTION_MAP_WRITE,
                    STANDARD_RIGHTS_EXECUTE | SECTION_MAP_EXECUTE, SECTION_ALL_ACCESS},
        .Delete = MiDeleteSection});
    MmSectionObjectType = (PVOID)MiSectionType;
}
