/*
 * \Device\PhysicalMemory: what a view shows is the memory itself. (docs: "Device\PhysicalMemory Object", ZwMapViewOfSection)
 */
#include "check.h"

static HANDLE Memory;

TEST(it_is_opened_by_name)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\PhysicalMemory");
    OBJECT_ATTRIBUTES Attributes;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE | OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK(ZwOpenSection(&Memory, SECTION_ALL_ACCESS, &Attributes) == STATUS_SUCCESS);
}

static PUCHAR Map(PHYSICAL_ADDRESS At, SIZE_T Bytes, PVOID *Base)
{
    LARGE_INTEGER Offset = At;
    SIZE_T Size = Bytes;

    *Base = NULL;
    if (!NT_SUCCESS(ZwMapViewOfSection(Memory, ZwCurrentProcess(), Base, 0, Bytes, &Offset, &Size, ViewShare, 0,
                                       PAGE_READWRITE | PAGE_NOCACHE)))
        return NULL;
    return (PUCHAR)*Base + (At.QuadPart - Offset.QuadPart);
}

TEST(a_view_shows_a_block_of_pool)
{
    volatile ULONG *Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'syhP');
    volatile ULONG *Seen;
    PVOID Base;

    Block[3] = 0x12345678;
    Seen = (volatile ULONG *)Map(MmGetPhysicalAddress((PVOID)Block), 64, &Base);
    if (CHECK(Seen != NULL)) {
        CHECK(((ULONG_PTR)Base & 0xffff) == 0); /* a view begins where one may begin; the offset says where that is */
        CHECK(Seen[3] == 0x12345678);
        Seen[3] = 0x9abcdef0;
        CHECK(Block[3] == 0x9abcdef0);
        CHECK(ZwUnmapViewOfSection(ZwCurrentProcess(), Base) == STATUS_SUCCESS);
        CHECK(Block[3] == 0x9abcdef0);
    }
    ExFreePoolWithTag((PVOID)Block, 'syhP');
}

TEST(there_is_nothing_behind_it)
{
    PHYSICAL_ADDRESS Far = {.QuadPart = 1ll << 40};
    PVOID Base;

    CHECK(!Map(Far, 4096, &Base));
    CHECK(ZwClose(Memory) == STATUS_SUCCESS);
}

CHECK_DRIVER(T(it_is_opened_by_name), T(a_view_shows_a_block_of_pool), T(there_is_nothing_behind_it))
