/*
 * Section objects: memory that several processes see, with or without a file behind it. What they show is a segment
 * (segment.c); view.c maps it. (docs: "Section Objects and Views", ZwCreateSection)
 */
#include "nt.h"
#include "mm/segment.h"

#define MI_LARGEST_SECTION (1ull << 40)
#define MI_LARGE_PAGE 0x200000
#ifndef SEC_LARGE_PAGES
#define SEC_LARGE_PAGES 0x80000000u
#endif

POBJECT_TYPE MiSectionType;
POBJECT_TYPE *MmSectionObjectType;

BOOLEAN MiWritesShared(ULONG Protection)
{
    return (Protection & (PAGE_READWRITE | PAGE_EXECUTE_READWRITE)) != 0;
}

/* ---- Making sections -------------------------------------------------------------------------------------------- */

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
    if (!MiWritesShared(Protection) || *Bytes > MI_LARGEST_SECTION)
        return STATUS_SECTION_TOO_BIG;
    End.EndOfFile.QuadPart = (LONGLONG)*Bytes;
    return IoSetInformation(File, FileEndOfFileInformation, sizeof(End), &End);
}

/* Of SEC_COMMIT, SEC_RESERVE and SEC_IMAGE exactly one; large pages are of the paging file, and committed. */
static BOOLEAN MiAreAttributes(ULONG Attributes, BOOLEAN OfFile)
{
    ULONG Kind = Attributes & (SEC_COMMIT | SEC_RESERVE | SEC_IMAGE);
    ULONG Known = Kind | SEC_NOCACHE | 0x40000000u /* SEC_WRITECOMBINE */ | 0x200000u /* SEC_BASED */ |
                  0x400000u /* SEC_NO_CHANGE */;

    if (Kind == SEC_COMMIT && !OfFile)
        Known |= SEC_LARGE_PAGES;
    return Kind && !(Kind & (Kind - 1)) && !(Attributes & ~Known);
}

static NTSTATUS MiCheckSection(UINT64 Bytes, ULONG Protection, ULONG Attributes, BOOLEAN OfFile)
{
    if (!MiAreAttributes(Attributes, OfFile))
        return STATUS_INVALID_PARAMETER_6;
    if (!MiIsProtection(Protection) || Protection == PAGE_NOACCESS)
        return STATUS_INVALID_PAGE_PROTECTION;
    if (!OfFile && (Attributes & SEC_IMAGE))
        return STATUS_INVALID_FILE_FOR_SECTION;
    if (!OfFile && !Bytes)
        return STATUS_INVALID_PARAMETER_4;
    if ((!OfFile || (Attributes & SEC_IMAGE)) && Bytes > MI_LARGEST_SECTION)
        return STATUS_SECTION_TOO_BIG;
    return (Attributes & SEC_LARGE_PAGES) && Bytes % MI_LARGE_PAGE ? STATUS_INVALID_PARAMETER_4 : STATUS_SUCCESS;
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

/* Undocumented, used by file systems: as ZwCreateSection, with a pointer for a handle; File may take the handle's place, and there
 * must be a size. */
NTSTATUS NTAPI MmCreateSection(PVOID *SectionObject, ACCESS_MASK Access, POBJECT_ATTRIBUTES Attributes,
                               PLARGE_INTEGER MaximumSize, ULONG Protection, ULONG AllocationAttributes,
                               HANDLE FileHandle, PFILE_OBJECT File)
{
    PMI_SECTION Section;
    NTSTATUS Status = MiIsProtection(Protection) ? STATUS_SUCCESS : STATUS_INVALID_PAGE_PROTECTION;
    UINT64 Bytes;

    if (!NT_SUCCESS(Status))
        return Status;
    Bytes = (UINT64)MaximumSize->QuadPart;
    if (!File && FileHandle)
        Status = ObReferenceObjectByHandle(FileHandle, MiFileAccess(Protection), IopFileType, ExGetPreviousMode(),
                                           (PVOID *)&File, NULL);
    else if (File)
        ObfReferenceObject(File);
    if (NT_SUCCESS(Status))
        Status = MiMakeSection(File, Bytes, Protection, AllocationAttributes, &Section);
    if (File)
        ObfDereferenceObject(File);
    if (NT_SUCCESS(Status))
        *SectionObject = Section;
    return Status;
}

/* ---- Questions of file systems ---------------------------------------------------------------------------------- */

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

/* ---- Query ------------------------------------------------------------------------------------------------------ */

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
    MI_BASIC_INFORMATION Basic = {.Attributes = Segment->File ? (Section->Attributes & ~(SEC_COMMIT | SEC_RESERVE)) |
                                                                    0x800000u /* SEC_FILE */
                                                              : Section->Attributes,
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

/* docs: "Device\PhysicalMemory Object": the machine's memory as a section, for kernel mode. Memory of devices is not in it. */
VOID MmNamePhysicalMemory(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\PhysicalMemory");
    UINT64 Bytes = MiPageCount << MI_PAGE_SHIFT;
    OBJECT_ATTRIBUTES Attributes;
    PMI_SECTION Section;
    HANDLE Handle;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_PERMANENT | OBJ_KERNEL_HANDLE, NULL, NULL);
    if (!NT_SUCCESS(MiMakeSection(NULL, Bytes, PAGE_EXECUTE_READWRITE, SEC_COMMIT, &Section)))
        KiInternalError("no memory for \\Device\\PhysicalMemory");
    Section->Segment->Physical = TRUE;
    if (!NT_SUCCESS(ObpInsertObject(Section, &Attributes, SECTION_ALL_ACCESS, &Handle)))
        KiInternalError("\\Device\\PhysicalMemory can't be named");
    NtClose(Handle);
}
