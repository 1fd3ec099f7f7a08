/*
 * Sections and virtual memory, from inside: in the System process, whose user memory drivers use in DriverEntry.
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwProtectVirtualMemory(HANDLE Process, PVOID *BaseAddress, PSIZE_T RegionSize, ULONG Protect,
                                               PULONG Old);
NTSYSAPI NTSTATUS NTAPI ZwQuerySection(HANDLE Section, ULONG Class, PVOID Buffer, SIZE_T Bytes, PSIZE_T Returned);
NTKERNELAPI NTSTATUS NTAPI MmMapViewInSystemSpace(PVOID Section, PVOID *MappedBase, PSIZE_T ViewSize);
NTKERNELAPI NTSTATUS NTAPI MmUnmapViewInSystemSpace(PVOID MappedBase);
#ifndef PAGE_READONLY
#define PAGE_READONLY 2
#endif

#define SELF ((HANDLE)-1)

static VOID VirtualMemory(VOID)
{
    MEMORY_BASIC_INFORMATION Information;
    PVOID Base = NULL, Part;
    SIZE_T Bytes = 5000, Size;
    ULONG Old;

    OK(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, MEM_COMMIT | MEM_RESERVE, PAGE_READWRITE));
    CHECK(Bytes == 0x2000 && ((ULONG_PTR)Base & 0xffff) == 0);
    CHECK(((PUCHAR)Base)[0] == 0 && ((PUCHAR)Base)[0x1fff] == 0);
    memset(Base, 0x5a, Bytes);
    OK(ZwQueryVirtualMemory(SELF, (PUCHAR)Base + 0x1234, MemoryBasicInformation, &Information, sizeof(Information),
                            &Size));
    CHECK(Information.BaseAddress == (PUCHAR)Base + 0x1000 && Information.AllocationBase == Base &&
          Information.State == MEM_COMMIT && Information.RegionSize == 0x1000 &&
          Information.Protect == PAGE_READWRITE && Information.Type == MEM_PRIVATE);
    Part = (PUCHAR)Base + 0x1000;
    Size = 1;
    OK(ZwProtectVirtualMemory(SELF, &Part, &Size, PAGE_READONLY, &Old));
    CHECK(Old == PAGE_READWRITE && Size == 0x1000);
    CHECK(((volatile UCHAR *)Part)[5] == 0x5a);
    Size = 0x1000;
    OK(ZwFreeVirtualMemory(SELF, &Part, &Size, MEM_DECOMMIT));
    CHECK(!MmIsAddressValid(Part) && MmIsAddressValid(Base));
    Size = 0;
    STATUS(ZwFreeVirtualMemory(SELF, &Part, &Size, MEM_RELEASE), STATUS_FREE_VM_NOT_AT_BASE);
    OK(ZwFreeVirtualMemory(SELF, &Base, &Size, MEM_RELEASE));
    CHECK(Size == 0x2000 && !MmIsAddressValid(Base));
    STATUS(ZwFreeVirtualMemory(SELF, &Base, &Size, MEM_RELEASE), STATUS_MEMORY_NOT_ALLOCATED);
    Base = NULL;
    Bytes = 0;
    STATUS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, MEM_COMMIT, PAGE_READWRITE), STATUS_INVALID_PARAMETER_4);
    Bytes = 1;
    STATUS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, 0, PAGE_READWRITE), STATUS_INVALID_PARAMETER_5);
    STATUS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, MEM_COMMIT, 0x777), STATUS_INVALID_PAGE_PROTECTION);
}

static VOID SharedPages(VOID)
{
    LARGE_INTEGER Size = {.QuadPart = 0x5000}, Offset = {0};
    struct {
        PVOID Base;
        ULONG Attributes;
        LARGE_INTEGER Size;
    } Basic;
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\Shared");
    HANDLE Section, Again;
    PVOID One = NULL, Two = NULL, System;
    SIZE_T Bytes = 0, Other = 0, Mapped = 0;
    PVOID Object;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwCreateSection(&Section, SECTION_ALL_ACCESS, &Attributes, &Size, PAGE_READWRITE, SEC_COMMIT, NULL));
    OK(ZwOpenSection(&Again, SECTION_ALL_ACCESS, &Attributes));
    OK(ZwMapViewOfSection(Section, SELF, &One, 0, 0, &Offset, &Bytes, ViewUnmap, 0, PAGE_READWRITE));
    OK(ZwMapViewOfSection(Again, SELF, &Two, 0, 0, NULL, &Other, ViewUnmap, 0, PAGE_READONLY));
    CHECK(Bytes == 0x5000 && Other == 0x5000 && One != Two);
    ((PULONG)One)[0x1001] = 0x1234567;
    CHECK(((volatile ULONG *)Two)[0x1001] == 0x1234567);
    OK(ObReferenceObjectByHandle(Section, SECTION_ALL_ACCESS, NULL, KernelMode, &Object, NULL));
    OK(MmMapViewInSystemSpace(Object, &System, &Mapped));
    CHECK(((volatile ULONG *)System)[0x1001] == 0x1234567);
    ((PULONG)System)[7] = 7;
    CHECK(((volatile ULONG *)Two)[7] == 7);
    OK(MmUnmapViewInSystemSpace(System));
    STATUS(MmUnmapViewInSystemSpace(System), STATUS_NOT_MAPPED_VIEW);
    ObDereferenceObject(Object);
    OK(ZwQuerySection(Section, 0, &Basic, sizeof(Basic), NULL));
    CHECK(Basic.Size.QuadPart == 0x5000 && (Basic.Attributes & SEC_COMMIT));
    OK(ZwUnmapViewOfSection(SELF, One));
    STATUS(ZwUnmapViewOfSection(SELF, One), STATUS_NOT_MAPPED_VIEW);
    OK(ZwClose(Section));
    OK(ZwClose(Again));
    CHECK(((volatile ULONG *)Two)[0x1001] == 0x1234567); /* a view keeps the memory */
    OK(ZwUnmapViewOfSection(SELF, Two));
    STATUS(ZwOpenSection(&Again, SECTION_ALL_ACCESS, &Attributes), STATUS_OBJECT_NAME_NOT_FOUND);
}

static VOID Refused(VOID)
{
    LARGE_INTEGER Size = {.QuadPart = 0x1000}, Odd = {.QuadPart = 0x800};
    HANDLE Section;
    PVOID Base = NULL;
    SIZE_T Bytes = 0;

    STATUS(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, NULL),
           STATUS_INVALID_PARAMETER_4);
    STATUS(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READWRITE, 0, NULL),
           STATUS_INVALID_PARAMETER_6);
    STATUS(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, 0, SEC_COMMIT, NULL),
           STATUS_INVALID_PAGE_PROTECTION);
    STATUS(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READONLY, 0x1000000, NULL),
           STATUS_INVALID_FILE_FOR_SECTION);
    OK(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READONLY, SEC_COMMIT, NULL));
    STATUS(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE),
           STATUS_SECTION_PROTECTION);
    STATUS(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, &Odd, &Bytes, ViewUnmap, 0, PAGE_READONLY),
           STATUS_MAPPED_ALIGNMENT);
    STATUS(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, (SECTION_INHERIT)9, 0, PAGE_READONLY),
           STATUS_INVALID_PARAMETER_8);
    Bytes = 0x2000;
    STATUS(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READONLY),
           STATUS_INVALID_VIEW_SIZE);
    OK(ZwClose(Section));
}

/* The status of a view of one page. */
static NTSTATUS View(HANDLE Section, ULONG Type, ULONG Protection)
{
    PVOID Base = NULL;
    SIZE_T Bytes = 0;
    NTSTATUS Status = ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, Type, Protection);

    if (NT_SUCCESS(Status))
        OK(ZwUnmapViewOfSection(SELF, Base));
    return Status;
}

/* docs: ZwMapViewOfSection: the view's protection must be compatible with the section's. */
static VOID Protections(VOID)
{
    static const struct {
        ULONG Section;
        BOOLEAN Writes, Reads, Executes;
    } Cases[] = {{PAGE_READONLY, 0, 1, 0}, {PAGE_READWRITE, 1, 1, 0},    {PAGE_WRITECOPY, 0, 1, 0},
                 {PAGE_EXECUTE, 0, 0, 1},  {PAGE_EXECUTE_READ, 0, 1, 1}, {PAGE_EXECUTE_READWRITE, 1, 1, 1}};
    LARGE_INTEGER Size = {.QuadPart = 0x1000};
    MEMORY_BASIC_INFORMATION Information;
    HANDLE Section;
    PVOID Base = NULL;
    SIZE_T Bytes = 0;

    for (ULONG i = 0; i < sizeof(Cases) / sizeof(Cases[0]); i++) {
        OK(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, Cases[i].Section, SEC_COMMIT, NULL));
        CHECK(View(Section, 0, PAGE_READWRITE) == (Cases[i].Writes ? STATUS_SUCCESS : STATUS_SECTION_PROTECTION));
        CHECK(View(Section, 0, PAGE_READONLY) == (Cases[i].Reads ? STATUS_SUCCESS : STATUS_SECTION_PROTECTION));
        CHECK(View(Section, 0, PAGE_WRITECOPY) == (Cases[i].Reads ? STATUS_SUCCESS : STATUS_SECTION_PROTECTION));
        CHECK(View(Section, 0, PAGE_EXECUTE) == (Cases[i].Executes ? STATUS_SUCCESS : STATUS_SECTION_PROTECTION));
        OK(View(Section, 0, PAGE_NOACCESS));
        STATUS(View(Section, 0, PAGE_READWRITE | PAGE_READONLY), STATUS_INVALID_PAGE_PROTECTION);
        STATUS(View(Section, 0, 0), STATUS_INVALID_PAGE_PROTECTION);
        STATUS(View(Section, MEM_RESERVE, PAGE_READONLY), STATUS_INVALID_PARAMETER_9); /* of files only */
        OK(ZwClose(Section));
    }
    OK(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READWRITE, SEC_COMMIT, NULL));
    STATUS(ZwMapViewOfSection(Section, SELF, &Base, 0, 0x2000, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE),
           STATUS_INVALID_PARAMETER_5);
    Bytes = (SIZE_T)-1;
    STATUS(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE),
           STATUS_INVALID_PARAMETER_3);
    Bytes = 0;
    OK(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE | PAGE_GUARD));
    OK(ZwQueryVirtualMemory(SELF, Base, MemoryBasicInformation, &Information, sizeof(Information), &Bytes));
    CHECK(Information.Protect == (PAGE_READWRITE | PAGE_GUARD) && Information.Type == MEM_MAPPED);
    OK(ZwUnmapViewOfSection(SELF, Base));
    OK(ZwClose(Section));
}

static VOID FileBehind(VOID)
{
    static CHAR Text[6000];
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\mapped.bin");
    IO_STATUS_BLOCK Iosb;
    LARGE_INTEGER At = {.QuadPart = 5000};
    HANDLE File, Section;
    PVOID Base = NULL;
    SIZE_T Bytes = 0;
    CHAR Back[4];

    for (ULONG i = 0; i < sizeof(Text); i++)
        Text[i] = (CHAR)('a' + i % 26);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(ZwCreateFile(&File, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, 0, FILE_SUPERSEDE,
                    FILE_SYNCHRONOUS_IO_NONALERT | FILE_NON_DIRECTORY_FILE, NULL, 0));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Text, sizeof(Text), NULL, NULL));
    OK(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, File));
    OK(ZwMapViewOfSection(Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE));
    CHECK(((volatile CHAR *)Base)[5000] == Text[5000] && ((volatile CHAR *)Base)[6000] == 0);
    RtlCopyMemory((PUCHAR)Base + 5000, "NEW!", 4);
    OK(ZwUnmapViewOfSection(SELF, Base));
    OK(ZwClose(Section));
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Back, 4, &At, NULL));
    CHECK(RtlCompareMemory(Back, "NEW!", 4) == 4);
    OK(ZwClose(File));
}

TEST_MAIN(VirtualMemory, SharedPages, Refused, Protections, FileBehind)
