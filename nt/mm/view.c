/*
 * Views of sections, in processes and in system space. (docs: "Section Objects and Views", ZwMapViewOfSection)
 * DIFFERS: views in system space are resident.
 */
#include "nt.h"
#include "mm/segment.h"

typedef struct _MI_SYSTEM_VIEW {
    LIST_ENTRY Entry;
    PMI_SEGMENT Segment;
    PVOID Base;
    UINT64 Pages;
} MI_SYSTEM_VIEW, *PMI_SYSTEM_VIEW;

static LIST_ENTRY MiSystemViews = {&MiSystemViews, &MiSystemViews};

/* May a view of a section made with Of have the protection View? */
static BOOLEAN MiFits(ULONG Of, ULONG View)
{
    if (View == PAGE_NOACCESS || View == Of)
        return TRUE;
    if (Of == PAGE_EXECUTE || (View >= PAGE_EXECUTE && Of < PAGE_EXECUTE)) /* code only, which may not be read */
        return FALSE;
    return !MiWritesShared(View) || MiWritesShared(Of);
}

/* Beyond: the view of a file may be larger than the section (docs: ZwMapViewOfSection, MEM_RESERVE). */
/* Pages of an image that belong to no section are there, and closed. */
static BOOLEAN MiProtectView(PMI_SPACE Space, PMI_VAD Vad, PMI_SEGMENT Segment, UINT64 Last, UINT64 Offset,
                             ULONG Protection)
{
    UINT64 Size = Last - Vad->Start;

    if (!MiSetEntries(Space, Vad, Vad->Start, Last, Segment->Image ? PAGE_NOACCESS : Protection))
        return FALSE;
    for (ULONG i = 0; i < Segment->Parts; i++) {
        PMI_PART Part = &Segment->Part[i];
        UINT64 Start = Part->Start > Offset ? Part->Start - Offset : 0;
        UINT64 End = Part->End > Offset ? Part->End - Offset : 0;
        if (End > Size)
            End = Size;
        if (Start < End && !MiSetEntries(Space, Vad, Vad->Start + Start, Vad->Start + End, Part->Protection))
            return FALSE;
    }
    return TRUE;
}

static NTSTATUS MiMapView(PMI_SECTION Section, PMI_SPACE Space, UINT64 *Base, UINT64 *Offset, UINT64 *Bytes, UINT64 Top,
                          ULONG Protection, BOOLEAN Beyond)
{
    BOOLEAN Image = Section->Segment->Image;
    UINT64 Start = *Base & ~(MI_GRANULARITY - 1), Size;
    PMI_VAD Vad;

    if (Image)
        Protection = PAGE_EXECUTE_WRITECOPY;
    else if (!MiFits(Section->Protection, Protection & ~(ULONG)PAGE_GUARD))
        return STATUS_SECTION_PROTECTION;
    if (*Offset >= Section->Bytes || (*Bytes > Section->Bytes - *Offset && !Beyond))
        return STATUS_INVALID_VIEW_SIZE;
    /* the view begins before what was asked for, and says where */
    UINT64 Before = *Offset & ((Section->Segment->Physical ? DOOR_PAGE : MI_GRANULARITY) - 1);
    *Offset -= Before;
    *Bytes += *Bytes ? Before : 0;
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
    /* what lies beyond the section is reserved only */
    UINT64 Shown = min(Size, (Section->Bytes - *Offset + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1));
    if (!MiProtectView(Space, Vad, Section->Segment, Start + Shown, *Offset, Protection)) {
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

/* docs: PLOAD_IMAGE_NOTIFY_ROUTINE: in the context of the process into which the image is mapped. */
static VOID MiAnnounceView(PMI_SECTION Section, PEPROCESS Process, PVOID Base, SIZE_T Bytes)
{
    const ULONG Room = 2048;
    POBJECT_NAME_INFORMATION Name = ExpTryAllocate(Room, MI_TAG_SEGMENT);
    BOOLEAN Other = Process != PspCurrentProcess();
    KAPC_STATE State;
    ULONG Length;

    if (!Name)
        return;
    if (!NT_SUCCESS(ObQueryNameString(Section->Segment->File, Name, Room, &Length)))
        RtlInitUnicodeString(&Name->Name, NULL);
    if (Other)
        KeStackAttachProcess((PKPROCESS)Process, &State);
    PspNotifyImage(&Name->Name, Process->UniqueProcessId, Base, Bytes, FALSE, Section->Segment->File);
    if (Other)
        KeUnstackDetachProcess(&State);
    ExpFree(Name);
}

static NTSTATUS MiMapInto(PMI_SECTION Section, PEPROCESS Process, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                          SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize, SECTION_INHERIT Inherit,
                          ULONG Type, ULONG Protection)
{
    UINT64 Base = (UINT64)*BaseAddress, Offset = SectionOffset ? (UINT64)SectionOffset->QuadPart : 0, Bytes = *ViewSize;
    UINT64 Room = *ViewSize ? *ViewSize : Section->Bytes;
    NTSTATUS Status;

    if (Section->Segment->Physical && ExGetPreviousMode() == UserMode)
        return STATUS_ACCESS_DENIED;
    if (Inherit != ViewShare && Inherit != ViewUnmap)
        return STATUS_INVALID_PARAMETER_8;
    if (Type & ~(MEM_RESERVE | MEM_TOP_DOWN | 0x40000000u /* MEM_DOS_LIM */))
        return STATUS_INVALID_PARAMETER_9;
    if (ZeroBits > MI_ZERO_BITS && ZeroBits < 32)
        return STATUS_INVALID_PARAMETER_4;
    if (!MiIsValidProtection(Protection))
        return STATUS_INVALID_PAGE_PROTECTION;
    if (CommitSize > Room && !(Type & MEM_RESERVE) && !Section->Segment->Image)
        return STATUS_INVALID_PARAMETER_5;
    if ((Type & MEM_RESERVE) && !Section->Segment->File)
        return STATUS_INVALID_PARAMETER_9;
    if ((Type & MEM_RESERVE) && !MiWritesShared(Section->Protection))
        return STATUS_SECTION_PROTECTION;
    if (!Process->Space || Process->Exited)
        return STATUS_PROCESS_IS_TERMINATING;
    if (Base >= DOOR_USER_END || Bytes > DOOR_USER_END - Base)
        return STATUS_INVALID_VIEW_SIZE;
    Status = MiMapView(Section, Process->Space, &Base, &Offset, &Bytes, MiTopOf(ZeroBits, DOOR_USER_END),
                       Protection & ~(ULONG)(PAGE_NOCACHE | PAGE_WRITECOMBINE), (Type & MEM_RESERVE) != 0);
    if (!NT_SUCCESS(Status))
        return Status;
    *BaseAddress = (PVOID)Base;
    *ViewSize = Bytes;
    if (SectionOffset)
        SectionOffset->QuadPart = (LONGLONG)Offset;
    if (Section->Segment->Image && PspIsUser(Process))
        MiAnnounceView(Section, Process, (PVOID)Base, Bytes);
    return Status;
}

NTSTATUS NTAPI MmMapViewOfSection(PVOID SectionObject, PEPROCESS Process, PVOID *BaseAddress, ULONG_PTR ZeroBits,
                                  SIZE_T CommitSize, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize,
                                  SECTION_INHERIT Inherit, ULONG AllocationType, ULONG Protect)
{
    return MiMapInto(SectionObject, Process, BaseAddress, ZeroBits, CommitSize, SectionOffset, ViewSize, Inherit,
                     AllocationType, Protect);
}

/* What the service asks of its caller and MmMapViewOfSection does not. */
static NTSTATUS MiCheckView(PMI_SECTION Section, PVOID *BaseAddress, PLARGE_INTEGER SectionOffset, PSIZE_T ViewSize)
{
    UINT64 Base = (UINT64)*BaseAddress, Offset = SectionOffset ? (UINT64)SectionOffset->QuadPart : 0;

    if (Base >= DOOR_USER_END || *ViewSize > DOOR_USER_END - Base)
        return STATUS_INVALID_PARAMETER_3;
    if ((Base | (Section->Segment->Physical ? 0 : Offset)) & (MI_GRANULARITY - 1))
        return STATUS_MAPPED_ALIGNMENT;
    return STATUS_SUCCESS;
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
        Status = MiCheckView(Section, BaseAddress, SectionOffset, ViewSize);
        if (NT_SUCCESS(Status))
            Status = MiMapInto(Section, Process, BaseAddress, ZeroBits, CommitSize, SectionOffset, ViewSize, Inherit,
                               AllocationType, Protect);
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
