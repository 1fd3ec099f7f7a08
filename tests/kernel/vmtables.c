/*
 * Virtual memory and sections in the System process: which arguments are taken, and with which status others are refused; what memory
 * of each protection lets a driver do. Built by clang. (docs: ZwAllocateVirtualMemory, ZwFreeVirtualMemory, ZwCreateSection,
 * ZwMapViewOfSection)
 */
#include "check.h"

NTKERNELAPI NTSTATUS NTAPI MmCreateSection(PVOID *, ACCESS_MASK, POBJECT_ATTRIBUTES, PLARGE_INTEGER, ULONG, ULONG,
                                           HANDLE, PFILE_OBJECT);
NTKERNELAPI NTSTATUS NTAPI MmMapViewOfSection(PVOID, PEPROCESS, PVOID *, ULONG_PTR, SIZE_T, PLARGE_INTEGER, PSIZE_T,
                                              SECTION_INHERIT, ULONG, ULONG);
NTSYSAPI NTSTATUS NTAPI ZwQuerySection(HANDLE, ULONG, PVOID, SIZE_T, PSIZE_T);

#define SELF ((HANDLE)-1)
#define ANY_BITS ((ULONG_PTR)-1)
#define BOTH (MEM_COMMIT | MEM_RESERVE)
#define RESET 0x80000
#define TOP_DOWN 0x100000
#define PHYSICAL 0x400000
#define LARGE_PAGES 0x80000000
#define SEC_FILE_BIT 0x800000
#ifndef SEC_IMAGE
#define SEC_IMAGE 0x1000000
#endif
#ifndef SEC_NOCACHE
#define SEC_NOCACHE 0x10000000
#endif

/* ---- Allocation ---------------------------------------------------------------------------------------------------- */

static const struct {
    ULONG_PTR Base, ZeroBits;
    SIZE_T Bytes;
    ULONG Type, Protect;
    NTSTATUS Status, Freed;
} Allocations[] = {
    {0, 0, 200, BOTH, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0x60000000, 0, 200, BOTH, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, 21, 200, BOTH, PAGE_READWRITE, STATUS_NO_MEMORY, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 22, 200, BOTH, PAGE_READWRITE, STATUS_INVALID_PARAMETER_3, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 3, 200, BOTH, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, ANY_BITS, 200, BOTH, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, 0, (SIZE_T)-1, BOTH, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 0, BOTH, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, PHYSICAL, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, MEM_COMMIT | RESET, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, TOP_DOWN, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, TOP_DOWN | RESET, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, TOP_DOWN | MEM_COMMIT, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, 0, 200, PHYSICAL | MEM_RESERVE, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, 0, 200, PHYSICAL | MEM_COMMIT, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, RESET | BOTH, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, (ULONG)-1, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, MEM_COMMIT, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, 0, 200, MEM_RESERVE, PAGE_READWRITE, STATUS_SUCCESS, STATUS_SUCCESS},
    {0, 0, 200, MEM_RESERVE, PAGE_WRITECOPY, STATUS_INVALID_PAGE_PROTECTION, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, MEM_RESERVE, PAGE_EXECUTE_WRITECOPY, STATUS_INVALID_PAGE_PROTECTION, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, BOTH, 0, STATUS_INVALID_PAGE_PROTECTION, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, BOTH, (ULONG)-1, STATUS_INVALID_PAGE_PROTECTION, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, BOTH, PAGE_NOACCESS | PAGE_GUARD, STATUS_INVALID_PAGE_PROTECTION, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, BOTH, PAGE_NOACCESS | PAGE_WRITECOMBINE, STATUS_INVALID_PAGE_PROTECTION, STATUS_MEMORY_NOT_ALLOCATED},
    {0, 0, 200, BOTH, PAGE_READONLY | PAGE_WRITECOMBINE, STATUS_SUCCESS, STATUS_SUCCESS},
};

TEST(allocation_takes_or_refuses)
{
    for (ULONG i = 0; i < ARRAYSIZE(Allocations); i++) {
        PVOID Base = (PVOID)Allocations[i].Base;
        SIZE_T Bytes = Allocations[i].Bytes;

        if (!CHECK_IS(ZwAllocateVirtualMemory(SELF, &Base, Allocations[i].ZeroBits, &Bytes, Allocations[i].Type,
                                              Allocations[i].Protect),
                      Allocations[i].Status))
            DbgPrint("row %u\n", i);
        CHECK(Allocations[i].Base ? Base == (PVOID)Allocations[i].Base : NT_SUCCESS(Allocations[i].Status) == !!Base);
        Bytes = 0;
        CHECK_IS(ZwFreeVirtualMemory(SELF, &Base, &Bytes, MEM_RELEASE), Allocations[i].Freed);
    }
}

TEST(memory_of_the_system_is_not_allocated)
{
    PVOID Bases[] = {(PUCHAR)MmSystemRangeStart + 200, CheckDriver};

    for (ULONG i = 0; i < ARRAYSIZE(Bases); i++) {
        PVOID Base = Bases[i];
        SIZE_T Bytes = 0x1000;

        CHECK_IS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, MEM_COMMIT, PAGE_READWRITE),
                 STATUS_INVALID_PARAMETER_2);
        Bytes = 0;
        CHECK_IS(ZwFreeVirtualMemory(SELF, &Base, &Bytes, MEM_RELEASE), STATUS_INVALID_PARAMETER_2);
        CHECK(Base == Bases[i]);
    }
}

TEST(an_address_is_rounded_to_where_one_may_begin)
{
    PVOID Base = (PVOID)0x60025000;
    SIZE_T Bytes = 200;

    CHECK_IS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, BOTH, PAGE_READWRITE), STATUS_SUCCESS);
    CHECK_IS(Base, 0x60020000);
    CHECK_IS(Bytes, 0x6000);
    Bytes = 0;
    CHECK_IS(ZwFreeVirtualMemory(SELF, &Base, &Bytes, MEM_RELEASE), STATUS_SUCCESS);
    CHECK_IS(Bytes, 0x6000);
}

/* ---- What memory lets one do --------------------------------------------------------------------------------------- */

static __attribute__((noinline)) void Put(volatile ULONG *At)
{
    *At = 0x1234;
}

static __attribute__((noinline)) ULONG Get(volatile ULONG *At)
{
    return *At;
}

static volatile ULONG Got;

static NTSTATUS Writes(PVOID At)
{
    NTSTATUS Caught = STATUS_SUCCESS;

    __try {
        Put(At);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    return Caught;
}

static NTSTATUS Reads(PVOID At)
{
    NTSTATUS Caught = STATUS_SUCCESS;

    __try {
        Got = Get(At);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    return Caught;
}

#define NO STATUS_ACCESS_VIOLATION
#define ONCE STATUS_GUARD_PAGE_VIOLATION

/* The first touch and the second. */
static void Touched(PVOID At, NTSTATUS Read, NTSTATUS Write, NTSTATUS Again)
{
    if (Read != ONCE)
        CHECK_IS(Reads(At), Read);
    CHECK_IS(Writes(At), Write);
    CHECK_IS(Writes(At), Again);
    if (NT_SUCCESS(Again))
        CHECK(Reads(At) == STATUS_SUCCESS && Got == 0x1234);
}

static const struct {
    ULONG Protect;
    NTSTATUS Read, Write, Again;
} Uses[] = {
    {PAGE_READWRITE, 0, 0, 0},
    {PAGE_READONLY, 0, NO, NO},
    {PAGE_NOACCESS, NO, NO, NO},
    {PAGE_READWRITE | PAGE_GUARD, ONCE, ONCE, 0},
};

TEST(allocated_memory_is_used_as_its_protection_says)
{
    PVOID Base = NULL;
    SIZE_T Bytes = 200;

    for (ULONG i = 0; i < ARRAYSIZE(Uses); i++) {
        Base = NULL;
        Bytes = 1000;
        CHECK_IS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, BOTH, Uses[i].Protect), STATUS_SUCCESS);
        CHECK_IS(Bytes, PAGE_SIZE);
        Touched(Base, Uses[i].Read, Uses[i].Write, Uses[i].Again);
        Bytes = 0;
        CHECK_IS(ZwFreeVirtualMemory(SELF, &Base, &Bytes, MEM_RELEASE), STATUS_SUCCESS);
    }
    Base = NULL;
    Bytes = 200;
    CHECK_IS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, MEM_RESERVE, PAGE_READWRITE), STATUS_SUCCESS);
    Touched(Base, NO, NO, NO);
    CHECK_IS(ZwAllocateVirtualMemory(SELF, &Base, 0, &Bytes, MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    CHECK(Reads(Base) == STATUS_SUCCESS && Got == 0);
    Touched(Base, 0, 0, 0);
    Bytes = 0;
    CHECK_IS(ZwFreeVirtualMemory(SELF, &Base, &Bytes, MEM_RELEASE), STATUS_SUCCESS);
    Touched(Base, NO, NO, NO);
}

/* ---- Sections of the paging file ----------------------------------------------------------------------------------- */

static const struct {
    LONGLONG Bytes;
    ULONG Protect, Attributes;
    NTSTATUS Status;
} Sections[] = {
    {201, PAGE_READWRITE, SEC_COMMIT, STATUS_SUCCESS},
    {-1, PAGE_READWRITE, SEC_COMMIT, STATUS_SECTION_TOO_BIG},
    {0, PAGE_READWRITE, SEC_COMMIT, STATUS_INVALID_PARAMETER_4},
    {201, PAGE_EXECUTE_READ, SEC_COMMIT, STATUS_SUCCESS},
    {201, PAGE_EXECUTE_READWRITE, SEC_COMMIT, STATUS_SUCCESS},
    {201, PAGE_EXECUTE_WRITECOPY, SEC_COMMIT, STATUS_SUCCESS},
    {201, PAGE_READONLY, SEC_COMMIT, STATUS_SUCCESS},
    {201, PAGE_EXECUTE_READ | PAGE_READWRITE, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION},
    {201, PAGE_WRITECOPY | PAGE_READONLY, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION},
    {201, 0, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION},
    {201, (ULONG)-1, SEC_COMMIT, STATUS_INVALID_PAGE_PROTECTION},
    {201, PAGE_READWRITE, 0, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, SEC_COMMIT | SEC_RESERVE, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, SEC_RESERVE, STATUS_SUCCESS},
    {201, PAGE_READWRITE, SEC_IMAGE, STATUS_INVALID_FILE_FOR_SECTION},
    {201, PAGE_READWRITE, SEC_IMAGE | SEC_COMMIT, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, (ULONG)-1, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, LARGE_PAGES, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, LARGE_PAGES | SEC_COMMIT, STATUS_INVALID_PARAMETER_4},
    {201, PAGE_READWRITE, LARGE_PAGES | SEC_RESERVE, STATUS_INVALID_PARAMETER_6},
    {0x400000, PAGE_READWRITE, LARGE_PAGES | SEC_COMMIT, STATUS_SUCCESS},
    {201, PAGE_READWRITE, SEC_NOCACHE, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, SEC_NOCACHE | SEC_RESERVE | SEC_COMMIT, STATUS_INVALID_PARAMETER_6},
    {201, PAGE_READWRITE, SEC_NOCACHE | SEC_COMMIT, STATUS_SUCCESS},
    {201, PAGE_READWRITE, SEC_NOCACHE | SEC_RESERVE, STATUS_SUCCESS},
};

TEST(a_section_of_the_paging_file_is_made_or_refused)
{
    static const ACCESS_MASK Accesses[] = {SECTION_ALL_ACCESS, 0, SECTION_MAP_READ};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"THIS/IS/INVALID");
    OBJECT_ATTRIBUTES Attributes;
    LARGE_INTEGER Size;
    HANDLE Section;

    for (ULONG i = 0; i < ARRAYSIZE(Sections); i++) {
        Size.QuadPart = Sections[i].Bytes;
        if (!CHECK_IS(ZwCreateSection(&Section, SECTION_ALL_ACCESS, NULL, &Size, Sections[i].Protect,
                                      Sections[i].Attributes, NULL),
                      Sections[i].Status))
            DbgPrint("row %u\n", i);
        if (NT_SUCCESS(Sections[i].Status))
            CHECK_IS(ZwClose(Section), STATUS_SUCCESS);
    }
    Size.QuadPart = 201;
    for (ULONG i = 0; i < ARRAYSIZE(Accesses); i++) {
        CHECK_IS(ZwCreateSection(&Section, Accesses[i], NULL, &Size, PAGE_READWRITE, SEC_COMMIT, NULL), STATUS_SUCCESS);
        CHECK_IS(ZwClose(Section), STATUS_SUCCESS);
    }
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK_IS(ZwCreateSection(&Section, SECTION_ALL_ACCESS, &Attributes, &Size, PAGE_READWRITE, SEC_COMMIT, NULL),
             STATUS_OBJECT_PATH_SYNTAX_BAD);
}

TEST(a_section_object_is_made_from_a_size)
{
    PVOID Object = (PVOID)&Got;
    LARGE_INTEGER Size = {.QuadPart = 0};
    NTSTATUS Caught = STATUS_SUCCESS;

    CHECK_IS(MmCreateSection(&Object, 0, NULL, NULL, 0, SEC_RESERVE, NULL, NULL), STATUS_INVALID_PAGE_PROTECTION);
    __try {
        MmCreateSection(&Object, 0, NULL, NULL, PAGE_READONLY, SEC_RESERVE, NULL, NULL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_ACCESS_VIOLATION);
    CHECK_IS(MmCreateSection(&Object, 0, NULL, &Size, PAGE_READONLY, SEC_IMAGE, NULL, NULL),
             STATUS_INVALID_FILE_FOR_SECTION);
    CHECK_IS(MmCreateSection(&Object, 0, NULL, &Size, PAGE_READONLY, SEC_RESERVE, NULL, NULL),
             STATUS_INVALID_PARAMETER_4);
    CHECK(Object == (PVOID)&Got); /* written when there is one */
    Size.QuadPart = 1;
    CHECK_IS(MmCreateSection(&Object, 0, NULL, &Size, PAGE_READONLY, SEC_RESERVE, NULL, NULL), STATUS_SUCCESS);
    CHECK(Object != (PVOID)&Got && Size.QuadPart == 1);
    ObDereferenceObject(Object);
}

/* ---- Views --------------------------------------------------------------------------------------------------------- */

static HANDLE Paging;

typedef struct _VIEW {
    ULONG_PTR Base, ZeroBits, Commit;
    LONGLONG Offset;
    SIZE_T Bytes;
    ULONG Type, Protect;
    NTSTATUS Status;
} VIEW;

static NTSTATUS MapAs(HANDLE Section, const VIEW *View, PVOID *Base)
{
    LARGE_INTEGER Offset = {.QuadPart = View->Offset};
    SIZE_T Bytes = View->Bytes;

    *Base = (PVOID)View->Base;
    return ZwMapViewOfSection(Section, SELF, Base, View->ZeroBits, View->Commit, &Offset, &Bytes, ViewUnmap, View->Type,
                              View->Protect);
}

static void MapEach(HANDLE Section, const VIEW *Views, ULONG Count)
{
    for (ULONG i = 0; i < Count; i++) {
        PVOID Base;

        if (!CHECK_IS(MapAs(Section, &Views[i], &Base), Views[i].Status))
            DbgPrint("row %u\n", i);
        if (NT_SUCCESS(Views[i].Status))
            CHECK_IS(ZwUnmapViewOfSection(SELF, Base), STATUS_SUCCESS);
    }
}

TEST(a_view_of_the_paging_file_is_mapped_or_refused)
{
    static const VIEW Views[] = {
        {0, 0, 0, 0, 0, 0, PAGE_READWRITE, STATUS_SUCCESS},
        {0x60000000, 0, 0, 0, 0, 0, PAGE_READWRITE, STATUS_SUCCESS},
        {0x567a20, 0, 0, 0, 0, 0, PAGE_READWRITE, STATUS_MAPPED_ALIGNMENT},
        {0, ANY_BITS, 0, 0, 0, 0, PAGE_READWRITE, STATUS_SUCCESS},
        {0, 20, 0, 0, 0, 0, PAGE_READWRITE, STATUS_NO_MEMORY},
        {0, 21, 0, 0, 0, 0, PAGE_READWRITE, STATUS_NO_MEMORY},
        {0, 22, 0, 0, 0, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_4},
        {0, 0, 500, 0, 0, 0, PAGE_READWRITE, STATUS_SUCCESS},
        {0, 0, (SIZE_T)-1, 0, 0, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5},
        {0, 0, 0x10000000, 0, 0, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5},
        {0, 0, 0, 0x40211, 0, 0, PAGE_READWRITE, STATUS_MAPPED_ALIGNMENT},
        {0, 0, 0, -1, 0, 0, PAGE_READWRITE, STATUS_MAPPED_ALIGNMENT},
        {0, 0, 0, 0x40000, 0, 0, PAGE_READWRITE, STATUS_SUCCESS},
        {0, 0, 0, 0x50000, 0, 0, PAGE_READWRITE, STATUS_INVALID_VIEW_SIZE},
        {0, 0, 0, 0, (SIZE_T)-1, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_3},
        {0, 0, 0, 0, 0x50001, 0, PAGE_READWRITE, STATUS_INVALID_VIEW_SIZE},
        {0, 0, 0, 0, 0, MEM_RESERVE, PAGE_READWRITE, STATUS_INVALID_PARAMETER_9},
        {0, 0, 0, 0, 0, BOTH, PAGE_READWRITE, STATUS_INVALID_PARAMETER_9},
        {0, 0, 0, 0, 0, 0, PAGE_READONLY | PAGE_READWRITE, STATUS_INVALID_PAGE_PROTECTION},
        {0, 0, 0, 0, 0, 0, PAGE_NOACCESS, STATUS_SUCCESS},
        {0, 0, 0, 0, 0, 0, PAGE_EXECUTE_WRITECOPY, STATUS_SECTION_PROTECTION},
    };
    LARGE_INTEGER Size = {.QuadPart = 5 * 0x10000};
    PVOID Base, Other = NULL;
    SIZE_T Bytes = 200;
    VIEW At = Views[0];

    CHECK_IS(ZwCreateSection(&Paging, SECTION_ALL_ACCESS, NULL, &Size, PAGE_READWRITE, SEC_COMMIT, NULL),
             STATUS_SUCCESS);
    MapEach(Paging, Views, ARRAYSIZE(Views));
    At.Base = (ULONG_PTR)MmSystemRangeStart + 200;
    CHECK_IS(MapAs(Paging, &At, &Base), STATUS_INVALID_PARAMETER_3);
    CHECK_IS(ZwAllocateVirtualMemory(SELF, &Other, 0, &Bytes, MEM_COMMIT, PAGE_READWRITE), STATUS_SUCCESS);
    At.Base = (ULONG_PTR)Other;
    CHECK_IS(MapAs(Paging, &At, &Base), STATUS_CONFLICTING_ADDRESSES);
    CHECK_IS(ZwFreeVirtualMemory(SELF, &Other, &Bytes, MEM_RELEASE), STATUS_SUCCESS);
    CHECK_IS(MapAs(SELF, &Views[0], &Base), STATUS_OBJECT_TYPE_MISMATCH);
}

TEST(a_view_is_used_as_its_protection_says)
{
    for (ULONG i = 0; i < ARRAYSIZE(Uses); i++) {
        VIEW View = {.Protect = Uses[i].Protect};
        PVOID Base;

        CHECK_IS(MapAs(Paging, &View, &Base), STATUS_SUCCESS);
        Touched(Base, Uses[i].Read, Uses[i].Write, Uses[i].Again);
        CHECK_IS(ZwUnmapViewOfSection(SELF, Base), STATUS_SUCCESS);
        Touched(Base, NO, NO, NO);
    }
    CHECK_IS(ZwClose(Paging), STATUS_SUCCESS);
}

/* ---- Files --------------------------------------------------------------------------------------------------------- */

static HANDLE File;
#define TEXT 200

static NTSTATUS Section(HANDLE *Handle, LONGLONG Bytes, ULONG Protect, ULONG Attributes)
{
    LARGE_INTEGER Size = {.QuadPart = Bytes};

    return ZwCreateSection(Handle, SECTION_ALL_ACCESS, NULL, &Size, Protect, Attributes, File);
}

TEST(a_section_of_a_file_is_made_or_refused)
{
    static const struct {
        LONGLONG Bytes;
        ULONG Protect, Attributes;
        NTSTATUS Status;
        LONGLONG Size;
    } Rows[] = {
        {TEXT, PAGE_READONLY, SEC_COMMIT, STATUS_SUCCESS, TEXT},
        {TEXT - 100, PAGE_READONLY, SEC_COMMIT, STATUS_SUCCESS, TEXT - 100},
        {0, PAGE_READONLY, SEC_COMMIT, STATUS_SUCCESS, TEXT},
        {-1, PAGE_READONLY, SEC_COMMIT, STATUS_SECTION_TOO_BIG, 0},
        {-1, PAGE_READWRITE, SEC_COMMIT, STATUS_SECTION_TOO_BIG, 0},
        {TEXT + 1, PAGE_READONLY, SEC_COMMIT, STATUS_SECTION_TOO_BIG, 0},
        {0, PAGE_WRITECOPY, SEC_COMMIT, STATUS_SUCCESS, TEXT},
        {0, PAGE_EXECUTE_READWRITE, SEC_COMMIT, STATUS_SUCCESS, TEXT},
        {0, PAGE_READWRITE, SEC_RESERVE, STATUS_SUCCESS, TEXT},
        {0, PAGE_READWRITE, SEC_COMMIT | SEC_RESERVE, STATUS_INVALID_PARAMETER_6, 0},
        {0, PAGE_READWRITE, LARGE_PAGES | SEC_COMMIT, STATUS_INVALID_PARAMETER_6, 0},
        {0, PAGE_READWRITE, SEC_IMAGE, STATUS_INVALID_IMAGE_NOT_MZ, 0},
        {-1, PAGE_EXECUTE_READ, SEC_IMAGE, STATUS_SECTION_TOO_BIG, 0},
    };
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\check-sections.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    UCHAR Text[TEXT] = {1, 2, 3};

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK_IS(ZwCreateFile(&File, GENERIC_WRITE | GENERIC_READ | SYNCHRONIZE | DELETE, &Attributes, &Iosb, NULL, 0, 0,
                          FILE_SUPERSEDE, FILE_SYNCHRONOUS_IO_NONALERT | FILE_DELETE_ON_CLOSE, NULL, 0),
             STATUS_SUCCESS);
    CHECK_IS(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Text, TEXT, NULL, NULL), STATUS_SUCCESS);
    for (ULONG i = 0; i < ARRAYSIZE(Rows); i++) {
        struct {
            PVOID Base;
            ULONG Attributes;
            LARGE_INTEGER Size;
        } Basic = {0};
        HANDLE Made;

        if (!CHECK_IS(Section(&Made, Rows[i].Bytes, Rows[i].Protect, Rows[i].Attributes), Rows[i].Status))
            DbgPrint("row %u\n", i);
        if (!NT_SUCCESS(Rows[i].Status))
            continue;
        CHECK_IS(ZwQuerySection(Made, 0, &Basic, sizeof(Basic), NULL), STATUS_SUCCESS);
        CHECK_IS(Basic.Attributes, SEC_FILE_BIT); /* whether it was committed is of no interest with a file */
        CHECK_IS(Basic.Size.QuadPart, Rows[i].Size);
        CHECK_IS(ZwClose(Made), STATUS_SUCCESS);
    }
}

TEST(a_file_whose_system_has_no_section_pointers_has_no_sections)
{
    PSECTION_OBJECT_POINTERS Pointers;
    PFILE_OBJECT Object;
    HANDLE Made;

    CHECK_IS(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL), STATUS_SUCCESS);
    Pointers = Object->SectionObjectPointer;
    Object->SectionObjectPointer = NULL;
    CHECK_IS(Section(&Made, 0, PAGE_READONLY, SEC_COMMIT), STATUS_INVALID_FILE_FOR_SECTION);
    Object->SectionObjectPointer = Pointers;
    ObDereferenceObject(Object);
}

TEST(a_view_of_a_file_may_be_larger_than_the_section)
{
    static const VIEW Views[] = {
        {0, 0, 500, 0, 0, 0, PAGE_READWRITE, STATUS_INVALID_PARAMETER_5},
        {0, 0, 500, 0, 0, MEM_RESERVE, PAGE_READWRITE, STATUS_SUCCESS},
        {0, 0, 0, 0, TEXT + 1, 0, PAGE_READWRITE, STATUS_INVALID_VIEW_SIZE},
        {0, 0, 0, 0, TEXT + 1, MEM_RESERVE, PAGE_READWRITE, STATUS_SUCCESS},
        {0, 0, 0, 0, TEXT, 0, PAGE_READWRITE, STATUS_SUCCESS},
        {0, 0, 0, 0, TEXT - 1, 0, PAGE_READONLY, STATUS_SUCCESS},
    };
    static const VIEW Large = {0, 0, 0, 0, 0x3000, MEM_RESERVE, PAGE_READWRITE, STATUS_SUCCESS};
    LARGE_INTEGER Offset = {.QuadPart = TEXT};
    SIZE_T Bytes = 1;
    PVOID Base, Object;
    HANDLE Made;

    CHECK_IS(Section(&Made, 0, PAGE_READWRITE, SEC_COMMIT), STATUS_SUCCESS);
    MapEach(Made, Views, ARRAYSIZE(Views));
    if (CHECK_IS(MapAs(Made, &Large, &Base), STATUS_SUCCESS)) {
        CHECK(Reads(Base) == STATUS_SUCCESS && Got == 0x30201);
        CHECK_IS(Reads((PUCHAR)Base + 0x1000), NO);
        CHECK_IS(ZwUnmapViewOfSection(SELF, Base), STATUS_SUCCESS);
    }
    CHECK_IS(ObReferenceObjectByHandle(Made, SECTION_ALL_ACCESS, NULL, KernelMode, &Object, NULL), STATUS_SUCCESS);
    Base = NULL;
    CHECK_IS(
        MmMapViewOfSection(Object, PsGetCurrentProcess(), &Base, 0, 0, &Offset, &Bytes, ViewUnmap, 0, PAGE_READWRITE),
        STATUS_INVALID_VIEW_SIZE);
    ObDereferenceObject(Object);
    CHECK_IS(ZwClose(Made), STATUS_SUCCESS);
    CHECK_IS(Section(&Made, 0, PAGE_READONLY, SEC_COMMIT), STATUS_SUCCESS);
    CHECK_IS(MapAs(Made, &Large, &Base), STATUS_SECTION_PROTECTION);
    CHECK_IS(ZwClose(Made), STATUS_SUCCESS);
    CHECK_IS(ZwClose(File), STATUS_SUCCESS);
}

CHECK_DRIVER(T(allocation_takes_or_refuses), T(memory_of_the_system_is_not_allocated),
             T(an_address_is_rounded_to_where_one_may_begin), T(allocated_memory_is_used_as_its_protection_says),
             T(a_section_of_the_paging_file_is_made_or_refused), T(a_section_object_is_made_from_a_size),
             T(a_view_of_the_paging_file_is_mapped_or_refused), T(a_view_is_used_as_its_protection_says),
             T(a_section_of_a_file_is_made_or_refused), T(a_file_whose_system_has_no_section_pointers_has_no_sections),
             T(a_view_of_a_file_may_be_larger_than_the_section))
