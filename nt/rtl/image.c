/*
 * Headers of mapped images: found, and what they point at. Undocumented, and used by most drivers that look at modules;
 * the shapes are those of the PE format's page ("PE Format").
 *
 * Nothing here writes. A base of NULL or -1 and headers that do not fit are answered with "none".
 */
#include "nt.h"
#include "rtl/rtlp.h"
#include <ntimage.h>

#define RTLP_NO_RANGE_CHECK 1 /* the size of RtlImageNtHeaderEx is not to be looked at */

NTSTATUS NTAPI RtlImageNtHeaderEx(ULONG Flags, PVOID Base, ULONG64 Size, PIMAGE_NT_HEADERS *Headers)
{
    PIMAGE_DOS_HEADER Dos = Base;
    BOOLEAN Bounded = !(Flags & RTLP_NO_RANGE_CHECK);

    if (!Headers)
        return STATUS_INVALID_PARAMETER;
    *Headers = NULL;
    if (Flags & ~(ULONG)RTLP_NO_RANGE_CHECK || !Base || Base == (PVOID)-1)
        return STATUS_INVALID_PARAMETER;
    if ((Bounded && Size < sizeof(*Dos)) || Dos->e_magic != IMAGE_DOS_SIGNATURE)
        return STATUS_INVALID_IMAGE_FORMAT;
    if ((ULONG)Dos->e_lfanew >= 0x10000000 ||
        (Bounded && (Size < sizeof(IMAGE_NT_HEADERS) || (ULONG)Dos->e_lfanew > Size - sizeof(IMAGE_NT_HEADERS))))
        return STATUS_INVALID_IMAGE_FORMAT;
    PIMAGE_NT_HEADERS Found = (PVOID)((PUCHAR)Base + Dos->e_lfanew);
    if (Found->Signature != IMAGE_NT_SIGNATURE)
        return STATUS_INVALID_IMAGE_FORMAT;
    *Headers = Found;
    return STATUS_SUCCESS;
}

PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(PVOID Base)
{
    PIMAGE_NT_HEADERS Headers;

    RtlImageNtHeaderEx(RTLP_NO_RANGE_CHECK, Base, 0, &Headers);
    return Headers;
}

/* Where an address of the image lies in its file. */
static PVOID RtlpInFile(PIMAGE_NT_HEADERS Headers, PUCHAR Base, ULONG Rva)
{
    PIMAGE_SECTION_HEADER Section = IMAGE_FIRST_SECTION(Headers);

    for (ULONG i = 0; i < Headers->FileHeader.NumberOfSections; i++, Section++)
        if (Rva - Section->VirtualAddress < Section->SizeOfRawData && Rva >= Section->VirtualAddress)
            return Base + Section->PointerToRawData + (Rva - Section->VirtualAddress);
    return NULL;
}

/* Bit 0 of the base says: a data file, laid out as on disk, whatever MappedAsImage says. */
PVOID NTAPI RtlImageDirectoryEntryToData(PVOID BaseOfImage, BOOLEAN MappedAsImage, USHORT Directory, PULONG Size)
{
    PUCHAR Base = (PUCHAR)((ULONG_PTR)BaseOfImage & ~(ULONG_PTR)3);
    PIMAGE_NT_HEADERS Headers = RtlImageNtHeader(Base);
    PIMAGE_DATA_DIRECTORY Entry;
    ULONG Count;

    *Size = 0;
    if (!Headers)
        return NULL;
    if (Headers->OptionalHeader.Magic == IMAGE_NT_OPTIONAL_HDR64_MAGIC) {
        Entry = Headers->OptionalHeader.DataDirectory;
        Count = Headers->OptionalHeader.NumberOfRvaAndSizes;
    } else {
        Entry = ((PIMAGE_NT_HEADERS32)Headers)->OptionalHeader.DataDirectory;
        Count = ((PIMAGE_NT_HEADERS32)Headers)->OptionalHeader.NumberOfRvaAndSizes;
    }
    if (Directory >= Count || !Entry[Directory].VirtualAddress)
        return NULL;
    *Size = Entry[Directory].Size;
    if ((MappedAsImage && Base == BaseOfImage) ||
        Entry[Directory].VirtualAddress < Headers->OptionalHeader.SizeOfHeaders)
        return Base + Entry[Directory].VirtualAddress;
    return RtlpInFile(Headers, Base, Entry[Directory].VirtualAddress);
}
