/*
 * Images in sections: a file's headers and sections read into the pages of a segment where they belong, each with the
 * protection that its characteristics say. (docs: SEC_IMAGE of ZwCreateSection, "PE Format")
 * DIFFERS: an image keeps its preferred base. A view elsewhere is not relocated, which on Windows the loader in user mode does.
 */
#include "nt.h"
#include "mm/segment.h"

#define MI_LARGEST_IMAGE (256ull << 20)

static NTSTATUS MiReadImage(PFILE_OBJECT File, UINT64 Offset, PVOID Buffer, UINT64 Bytes)
{
    UINT64 Physical = MiAllocatePages(1), Done = 0;
    NTSTATUS Status = Physical ? STATUS_SUCCESS : STATUS_NO_MEMORY;

    while (Done < Bytes && NT_SUCCESS(Status)) {
        UINT64 At = Offset + Done, Skip = At & (DOOR_PAGE - 1);
        UINT64 Run = DOOR_PAGE - Skip < Bytes - Done ? DOOR_PAGE - Skip : Bytes - Done;
        __stosq(MiLinear(Physical), 0, DOOR_PAGE / 8);
        Status = MiPageFile(File, Physical, At - Skip, FALSE);
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

/* What is written to is the process's own copy, if the section is not shared. */
static ULONG MiPartProtection(ULONG Characteristics)
{
    BOOLEAN Execute = (Characteristics & 0x20000000) != 0, Read = (Characteristics & 0x40000000) != 0;

    if (Characteristics & 0x80000000) {
        if (Characteristics & 0x10000000)
            return Execute ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE;
        return Execute ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY;
    }
    if (Execute)
        return Read ? PAGE_EXECUTE_READ : PAGE_EXECUTE;
    return Read ? PAGE_READONLY : PAGE_NOACCESS;
}

static NTSTATUS MiLayOutSection(PMI_SEGMENT Segment, PMI_HEADERS Headers, ULONG Row)
{
    UINT64 Rva = MI_AT(ULONG, Row + 12), Raw = MI_AT(ULONG, Row + 16), Virtual = MI_AT(ULONG, Row + 8);
    UINT64 Bytes = Virtual ? Virtual : Raw, End = (Rva + Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);

    if (Raw > ((Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1)))
        Raw = (Bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    if (Rva % DOOR_PAGE || End > Headers->ImageBytes)
        return STATUS_INVALID_IMAGE_FORMAT;
    Segment->Part[Segment->Parts++] = (MI_PART){Rva, End, MiPartProtection(MI_AT(ULONG, Row + 36))};
    return MiLayOut(Segment, Rva, MI_AT(ULONG, Row + 20), Raw);
}

NTSTATUS MiMakeImage(PFILE_OBJECT File, PMI_SEGMENT *Result)
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
        Segment->Part = ExpTryAllocate((Headers->Sections + 1ull) * sizeof(*Segment->Part), MI_TAG_SEGMENT);
        Status = Segment->Part ? MiLayOut(Segment, 0, 0, Headers->HeaderBytes) : STATUS_INSUFFICIENT_RESOURCES;
    }
    if (NT_SUCCESS(Status))
        Segment->Part[Segment->Parts++] =
            (MI_PART){0, (Headers->HeaderBytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1), PAGE_READONLY};
    for (ULONG i = 0; NT_SUCCESS(Status) && i < Headers->Sections; i++)
        Status = MiLayOutSection(Segment, Headers, Headers->SectionTable + i * 40);
    if (Headers)
        ExpFree(Headers);
    if (!NT_SUCCESS(Status) && Segment)
        MiFreeSegment(Segment);
    else
        *Result = Segment;
    return Status;
}
