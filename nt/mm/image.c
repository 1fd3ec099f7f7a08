/*
 * Images: kernel modules and drivers. The host reads the file, relocates, binds and patches; here the memory comes
 * from, and here stands which address belongs to which image.
 *
 * Addresses are given out in load order, 64 KiB apart, and not again until the range has been used up: a stray call or
 * touch into a driver that was unloaded can then be named. The same drivers loaded in the same order get the same
 * addresses in every run.
 *
 * Sections whose name begins with PAGE are pageable (window.c) unless IMAGE_SCN_MEM_NOT_PAGED says otherwise; INIT
 * sections and other discardable ones are taken away after DriverEntry (docs: "Making Drivers Pageable",
 * "IMAGE_SECTION_HEADER").
 */
#include "nt.h"
#include <ntimage.h>
#include "mm/page.h"

#define MI_IMAGE_SLOTS ((DOOR_IMAGE_END - DOOR_IMAGE_BASE) / MI_WINDOW)
#define MI_TAG_IMAGE 'egmI'

#ifndef IMAGE_SCN_MEM_NOT_PAGED
#define IMAGE_SCN_MEM_NOT_PAGED 0x08000000
#endif

LIST_ENTRY MiImages;
static LIST_ENTRY MiUnloaded; /* oldest first */
static MI_IMAGE MiBootImage[RTL_NUMBER_OF_FIELD(struct door, image)];
static PMI_IMAGE MiImageAt[MI_IMAGE_SLOTS]; /* by 64 KiB of the image range; loaded or unloaded */
static UINT64 MiImageNext;                  /* no image above */
static UINT64 MiImageFloor;                 /* no driver below: boot images and what was reserved */

static PMI_IMAGE MiSlotImage(UINT64 Address)
{
    UINT64 Slot = (Address - DOOR_IMAGE_BASE) / MI_WINDOW;
    PMI_IMAGE Image = Slot < MI_IMAGE_SLOTS ? MiImageAt[Slot] : NULL;

    /* Boot images lie page by page behind each other, so two may share 64 KiB. */
    if (Address - DOOR_IMAGE_BASE < KiDoor->image_next - DOOR_IMAGE_BASE)
        for (ULONG i = 0; i < KiDoor->image_count; i++)
            if (Address - MiBootImage[i].Base < MiBootImage[i].MappedBytes)
                return &MiBootImage[i];
    return Image && Address - Image->Base < Image->MappedBytes ? Image : NULL;
}

PMI_IMAGE MmImageOf(UINT64 Address)
{
    PMI_IMAGE Image = MiSlotImage(Address);
    return Image && Image->Physical != (UINT64)-1 ? Image : NULL;
}

PMI_IMAGE MiUnloadedImageOf(UINT64 Address)
{
    PMI_IMAGE Image = MiSlotImage(Address);
    return Image && Image->Physical == (UINT64)-1 ? Image : NULL;
}

static VOID MiClaimSlots(PMI_IMAGE Image, PMI_IMAGE Value)
{
    UINT64 First = (Image->Base - DOOR_IMAGE_BASE) / MI_WINDOW;
    UINT64 Last = (Image->Base + Image->MappedBytes - 1 - DOOR_IMAGE_BASE) / MI_WINDOW;

    for (UINT64 Slot = First; Slot <= Last; Slot++)
        MiImageAt[Slot] = Value;
}

const struct door_section *MiSectionOf(PMI_IMAGE Image, UINT64 Address)
{
    for (ULONG i = 0; i < Image->Info.section_count; i++) {
        const struct door_section *Section = &Image->Info.section[i];
        if (Address - Image->Base - Section->rva < Section->bytes)
            return Section;
    }
    return NULL;
}

static BOOLEAN MiNameBegins(const char *Name, const char *With)
{
    while (*With)
        if (*Name++ != *With++)
            return FALSE;
    return TRUE;
}

BOOLEAN MiIsInitSection(const struct door_section *Section)
{
    /* .reloc is discardable by its flags, debug sections (whose long names show as "/n") too; nobody can miss the one,
     * and the others were never mapped. */
    if (MiNameBegins(Section->name, ".reloc") || MiNameBegins(Section->name, ".debug") || Section->name[0] == '/')
        return FALSE;
    return (Section->characteristics & IMAGE_SCN_MEM_DISCARDABLE) ||
           (MiNameBegins(Section->name, "INIT") && !Section->name[4]);
}

BOOLEAN MiIsPageSection(const struct door_section *Section)
{
    return MiNameBegins(Section->name, "PAGE") && !(Section->characteristics & IMAGE_SCN_MEM_NOT_PAGED) &&
           !MiIsInitSection(Section);
}

ULONG MiSectionProtection(const struct door_section *Section)
{
    return DOOR_READ | (Section->characteristics & IMAGE_SCN_MEM_WRITE ? DOOR_WRITE : 0) |
           (Section->characteristics & IMAGE_SCN_MEM_EXECUTE ? DOOR_EXECUTE : 0);
}

/* What image_open would have said of a boot image, from its headers in memory. */
static VOID MiReadHeaders(PMI_IMAGE Image)
{
    PIMAGE_NT_HEADERS64 Headers = (PVOID)(Image->Base + *(ULONG *)(Image->Base + 0x3c));
    PIMAGE_SECTION_HEADER Section =
        (PVOID)((PUCHAR)&Headers->OptionalHeader + Headers->FileHeader.SizeOfOptionalHeader);
    struct door_image *Info = &Image->Info;

    Info->preferred_base = Headers->OptionalHeader.ImageBase;
    Info->bytes = Headers->OptionalHeader.SizeOfImage;
    Info->entry = Headers->OptionalHeader.AddressOfEntryPoint;
    Info->check_sum = Headers->OptionalHeader.CheckSum;
    Info->time_stamp = Headers->FileHeader.TimeDateStamp;
    Info->unwind = Headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION].VirtualAddress;
    Info->unwind_bytes = Headers->OptionalHeader.DataDirectory[IMAGE_DIRECTORY_ENTRY_EXCEPTION].Size;
    for (ULONG i = 0; i < Headers->FileHeader.NumberOfSections && i < DOOR_IMAGE_SECTIONS; i++, Section++) {
        struct door_section *To = &Info->section[Info->section_count++];
        for (ULONG c = 0; c < 8; c++)
            To->name[c] = (char)Section->Name[c];
        To->rva = Section->VirtualAddress;
        To->bytes = (Section->Misc.VirtualSize + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
        To->characteristics = Section->Characteristics;
    }
}

/* Readers of the event record make names of addresses from these. */
static VOID MiRecordImage(ULONG Event, PMI_IMAGE Image)
{
    struct door_event_image Payload = {.base = Image->Base, .bytes = Image->MappedBytes, .driver = Image->Driver};

    RtlpFormat(Payload.name, sizeof(Payload.name), "%s", Image->Name);
    VfRecord(Event, &Payload, sizeof(Payload));
}

/* The boot images lie in RAM as they do in the image range; behind them are the processor areas, which
 * KiInitializeProcessors took before anything else. */
VOID MiInitializeImages(VOID)
{
    UINT64 End = KiDoor->ram_used - KiDoor->processors * DOOR_PROCESSOR_BYTES;

    InitializeListHead(&MiImages);
    InitializeListHead(&MiUnloaded);
    MiImageNext = MiImageFloor = (KiDoor->image_next + MI_WINDOW - 1) & ~(MI_WINDOW - 1);
    for (ULONG i = 0; i < KiDoor->image_count; i++) {
        PMI_IMAGE Image = &MiBootImage[i];
        Image->Base = KiDoor->image[i].base;
        Image->Bytes = Image->MappedBytes = (KiDoor->image[i].bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
        Image->Physical = End - (KiDoor->image_next - Image->Base);
        Image->Driver = KiDoor->image[i].driver != 0;
        RtlpFormat(Image->Name, sizeof(Image->Name), "%s", KiDoor->image[i].name);
        MiReadHeaders(Image);
        InsertTailList(&MiImages, &Image->Entry);
        MiRecordImage(DOOR_EVENT_IMAGE, Image);
    }
}

/* An address for Bytes: behind the last image, or the first gap among images unloaded long ago when the range is used
 * up. 0 = none. */
static UINT64 MiReserveImage(UINT64 Bytes)
{
    UINT64 Needed = (Bytes + MI_WINDOW - 1) / MI_WINDOW, Run = 0;

    if (DOOR_IMAGE_END - MiImageNext >= Needed * MI_WINDOW) {
        UINT64 Base = MiImageNext;
        MiImageNext += Needed * MI_WINDOW;
        return Base;
    }
    while (!IsListEmpty(&MiUnloaded)) {
        PMI_IMAGE Oldest = CONTAINING_RECORD(RemoveHeadList(&MiUnloaded), MI_IMAGE, Entry);
        MiClaimSlots(Oldest, NULL);
        ExpFree(Oldest);
    }
    for (UINT64 Slot = (MiImageFloor - DOOR_IMAGE_BASE) / MI_WINDOW; Slot < MI_IMAGE_SLOTS; Slot++) {
        Run = MiImageAt[Slot] ? 0 : Run + 1;
        if (Run == Needed)
            return DOOR_IMAGE_BASE + (Slot + 1 - Needed) * MI_WINDOW;
    }
    return 0;
}

UINT64 MiReserveImageSpace(UINT64 Bytes)
{
    UINT64 Base = MiImageNext, Needed = (Bytes + MI_WINDOW - 1) & ~(MI_WINDOW - 1);

    if (Needed > DOOR_IMAGE_END - Base)
        return 0;
    MiImageNext += Needed;
    MiImageFloor = MiImageNext;
    return Base;
}

static NTSTATUS MiStatusOf(int Error, PCSTR *Reason)
{
    switch (Error) {
    case DOOR_NOT_FOUND:
        *Reason = "the file does not exist";
        return STATUS_OBJECT_NAME_NOT_FOUND;
    case DOOR_IS_DIRECTORY:
        *Reason = "it is a directory";
        return STATUS_FILE_IS_A_DIRECTORY;
    case DOOR_DENIED:
        *Reason = "the file may not be read";
        return STATUS_ACCESS_DENIED;
    case DOOR_NO_MEMORY:
        *Reason = "not enough memory";
        return STATUS_INSUFFICIENT_RESOURCES;
    case DOOR_BAD_NAME:
        *Reason = "the file name is not valid";
        return STATUS_OBJECT_NAME_INVALID;
    case DOOR_BAD_IMAGE:
        *Reason = "the file is no valid image";
        return STATUS_INVALID_IMAGE_FORMAT;
    default:
        *Reason = "the file cannot be read";
        return STATUS_UNSUCCESSFUL;
    }
}

/* Memory for an opened image, mapped read-write. */
static NTSTATUS MiMapImageMemory(PMI_IMAGE Image)
{
    UINT64 Bytes = ((UINT64)Image->Info.bytes + Image->Info.extra_bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);

    Image->Bytes = Image->Info.bytes;
    Image->MappedBytes = (ULONG)Bytes;
    if (!Bytes || Bytes >= DOOR_IMAGE_END - DOOR_IMAGE_BASE)
        return STATUS_INVALID_IMAGE_FORMAT;
    Image->Physical = MiAllocatePages(Bytes / DOOR_PAGE);
    if (!Image->Physical)
        return STATUS_INSUFFICIENT_RESOURCES;
    Image->Base = MiReserveImage(Bytes);
    if (!Image->Base || KiDoor->map(Image->Base, Image->Physical, Bytes, DOOR_READ | DOOR_WRITE) != DOOR_OK) {
        MiFreePages(Image->Physical, Bytes / DOOR_PAGE);
        return STATUS_INSUFFICIENT_RESOURCES;
    }
    MiSetPages(Image->Physical, Bytes / DOOR_PAGE, MiUseImage, 0, Image);
    return STATUS_SUCCESS;
}

NTSTATUS MmLoadImage(PCSTR Source, PCSTR Name, BOOLEAN FromVolume, PMI_IMAGE *Loaded, PCSTR *Reason)
{
    static CHAR Text[sizeof(((struct door_image *)0)->reason)];
    PMI_IMAGE Image = ExpAllocate(sizeof(*Image), MI_TAG_IMAGE);
    NTSTATUS Status;
    uint32_t Id = 0;
    int Error = KiDoor->image_open(Source, FromVolume, &Id, &Image->Info);

    if (Error != DOOR_OK || Image->Info.status) {
        Status = MiStatusOf(Error == DOOR_OK ? DOOR_BAD_IMAGE : Error, Reason);
        if (Image->Info.status) {
            Status = (NTSTATUS)Image->Info.status;
            RtlpFormat(Text, sizeof(Text), "%s", Image->Info.reason);
            *Reason = Text;
        }
        ExpFree(Image);
        return Status;
    }
    RtlpFormat(Image->Name, sizeof(Image->Name), "%s", Name);
    Image->Driver = TRUE;
    Status = MiMapImageMemory(Image);
    if (!NT_SUCCESS(Status)) {
        *Reason = "not enough memory for the image";
        ExpFree(Image);
        return Status;
    }
    /* In the tables before it is bound: the binder asks which image an importer is. */
    MiClaimSlots(Image, Image);
    InsertTailList(&MiImages, &Image->Entry);
    MiRecordImage(DOOR_EVENT_IMAGE, Image);
    Error = KiDoor->image_map(Id, Image->Base, Image->Name, &Image->Info);
    if (Error != DOOR_OK) {
        Status = MiStatusOf(Error, Reason);
        MmUnloadImage(Image);
        return Status;
    }
    for (ULONG i = 0; i < Image->Info.section_count; i++) {
        const struct door_section *Section = &Image->Info.section[i];
        if (MiIsPageSection(Section))
            MiRegisterPageable(Image->Base + Section->rva, Section->bytes, MiSectionProtection(Section));
    }
    *Loaded = Image;
    return STATUS_SUCCESS;
}

VOID MmDiscardInit(PMI_IMAGE Image)
{
    if (Image->InitDiscarded)
        return;
    Image->InitDiscarded = TRUE;
    for (ULONG i = 0; i < Image->Info.section_count; i++) {
        const struct door_section *Section = &Image->Info.section[i];
        if (!MiIsInitSection(Section) || !Section->bytes)
            continue;
        KiDoor->unmap(Image->Base + Section->rva, Section->bytes);
        KiDoor->discard(Image->Physical + Section->rva, Section->bytes);
    }
}

/* The record stays, for reports, until its addresses are needed again. */
VOID MmUnloadImage(PMI_IMAGE Image)
{
    for (ULONG i = 0; i < Image->Info.section_count; i++)
        MiUnregisterPageable(Image->Base + Image->Info.section[i].rva);
    MiRecordImage(DOOR_EVENT_UNIMAGE, Image);
    RtlpForgetFrames();
    KiDoor->image_forget(Image->Base);
    KiDoor->unmap(Image->Base, Image->MappedBytes);
    MiFreePages(Image->Physical, Image->MappedBytes / DOOR_PAGE);
    Image->Physical = (UINT64)-1;
    RemoveEntryList(&Image->Entry);
    InsertTailList(&MiUnloaded, &Image->Entry);
}

/* ---- Routines of the public interface ---------------------------------------------------------------------------- */

/* An export of the image at Base, of any kernel module if that is 0; for a driver behind the check of its contract. */
static PVOID MiFindExport(UINT64 Base, PCSTR Name, PMI_IMAGE Importer)
{
    struct door_import Import = {.target = KiDoor->image_export(Base, Name)};
    PMI_IMAGE Exporter = Import.target ? MmImageOf(Import.target) : NULL;

    if (!Exporter || !Importer || !Importer->Driver)
        return (PVOID)Import.target;
    Import.importer = Importer->Base;
    Import.module = Exporter->Name;
    Import.name = Name;
    Import.exporter = Exporter->Base;
    return (PVOID)VfBind(&Import);
}

/* docs: MmGetSystemRoutineAddress: what ntoskrnl.exe or hal.dll exports. What a driver gets this way is checked as if
 * it had imported it. */
PVOID NTAPI MmGetSystemRoutineAddress(PUNICODE_STRING SystemRoutineName)
{
    CHAR Name[256];

    if (RtlpToUtf8(Name, sizeof(Name), SystemRoutineName->Buffer, SystemRoutineName->Length / sizeof(WCHAR)) >=
        sizeof(Name) - 1)
        return NULL;
    return MiFindExport(0, Name, MmImageOf((UINT64)__builtin_return_address(0)));
}

/* Undocumented: of a mapped image, by name; checked likewise. */
PVOID NTAPI RtlFindExportedRoutineByName(PVOID Base, PCCH Name)
{
    return MiFindExport((UINT64)Base, Name, MmImageOf((UINT64)__builtin_return_address(0)));
}

/* docs: MmIsDriverVerifyingByAddress, MmIsDriverSuspectForVerifier: every driver is in the list of those that are verified. */
LOGICAL NTAPI MmIsDriverVerifyingByAddress(PVOID AddressWithinSection)
{
    PMI_IMAGE Image = MmImageOf((UINT64)AddressWithinSection);
    return Image && Image->Driver;
}

LOGICAL NTAPI MmIsDriverSuspectForVerifier(PDRIVER_OBJECT DriverObject)
{
    return MmIsDriverVerifyingByAddress(DriverObject->DriverStart);
}

LOGICAL NTAPI MmIsDriverVerifying(PDRIVER_OBJECT DriverObject)
{
    return MmIsDriverSuspectForVerifier(DriverObject);
}
