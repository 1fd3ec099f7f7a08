/* The ATA disk by its registers: the PIO and DMA protocols, 28 and 48 bit addresses, errors, resets. 512 sectors. */
#define CHECK_ON_PROCESSOR_0
#include "../kernel/check.h"
#include "card.h"

#define P(Number) ((PUCHAR)(0x1f0 + (Number)))
#define CONTROL ((PUCHAR)0x3f6)
enum { ERR = 1, DRQ = 8, READY = 0x40, BUSY = 0x80 };
enum { ABORTED = 4, NOT_FOUND = 16 };
#define SECTORS 512

static PKINTERRUPT Interrupt;
static volatile ULONG Interrupts;
static volatile UCHAR LastStatus;

static BOOLEAN Serve(PKINTERRUPT Object, PVOID Context)
{
    LastStatus = READ_PORT_UCHAR(P(7));
    Interrupts++;
    return TRUE;
}

static UCHAR Settle(void)
{
    UCHAR Status;

    while ((Status = READ_PORT_UCHAR(CONTROL)) & BUSY)
        ;
    return Status;
}

static void Address(ULONGLONG Sector, ULONG Count, BOOLEAN Wide)
{
    WRITE_PORT_UCHAR(P(6), Wide ? 0x40 : 0x40 | (UCHAR)(Sector >> 24 & 15));
    if (Wide) {
        WRITE_PORT_UCHAR(P(2), (UCHAR)(Count >> 8));
        WRITE_PORT_UCHAR(P(3), (UCHAR)(Sector >> 24));
        WRITE_PORT_UCHAR(P(4), (UCHAR)(Sector >> 32));
        WRITE_PORT_UCHAR(P(5), (UCHAR)(Sector >> 40));
    }
    WRITE_PORT_UCHAR(P(2), (UCHAR)Count);
    WRITE_PORT_UCHAR(P(3), (UCHAR)Sector);
    WRITE_PORT_UCHAR(P(4), (UCHAR)(Sector >> 8));
    WRITE_PORT_UCHAR(P(5), (UCHAR)(Sector >> 16));
}

static UCHAR Command(UCHAR Code)
{
    WRITE_PORT_UCHAR(P(7), Code);
    return Settle();
}

static ULONG Read(UCHAR Code, ULONGLONG Sector, ULONG Count, BOOLEAN Wide, PUCHAR Buffer)
{
    ULONG Blocks = 0;

    Address(Sector, Count, Wide);
    for (UCHAR Status = Command(Code); Status & DRQ; Status = Settle())
        READ_PORT_BUFFER_USHORT((PUSHORT)P(0), (PUSHORT)(Buffer + 512 * Blocks++), 256);
    return Blocks;
}

static ULONG Write(UCHAR Code, ULONGLONG Sector, ULONG Count, BOOLEAN Wide, PUCHAR Buffer)
{
    ULONG Blocks = 0;

    Address(Sector, Count, Wide);
    for (UCHAR Status = Command(Code); Status & DRQ; Status = Settle())
        WRITE_PORT_BUFFER_USHORT((PUSHORT)P(0), (PUSHORT)(Buffer + 512 * Blocks++), 256);
    return Blocks;
}

static UCHAR Buffer[8 * 512], Other[8 * 512];

TEST(identify)
{
    PUSHORT Words = (PUSHORT)Buffer;

    WRITE_PORT_UCHAR(CONTROL, 2);
    CHECK_IS(Read(0xec, 0, 0, FALSE, Buffer), 1);
    CHECK_IS(Words[60] | Words[61] << 16, SECTORS);
    CHECK_IS(*(ULONGLONG *)(Words + 100), SECTORS);
    CHECK_IS(Words[27], 'I' << 8 | 'R');
    CHECK(Words[49] & 0x200);
    CHECK(Words[83] & 0x400);
    CHECK_IS(READ_PORT_UCHAR(P(7)) & (ERR | DRQ | BUSY), 0);
}

TEST(several_sectors_by_ports)
{
    for (ULONG i = 0; i < sizeof(Buffer); i++)
        Buffer[i] = (UCHAR)(i * 13 + (i >> 9));
    CHECK_IS(Write(0x30, 100, 8, FALSE, Buffer), 8);
    CHECK_IS(Read(0x20, 100, 8, FALSE, Other), 8);
    CHECK_IS(RtlCompareMemory(Buffer, Other, sizeof(Buffer)), sizeof(Buffer));
    CHECK_IS(Read(0x20, 103, 1, FALSE, Other), 1);
    CHECK_IS(RtlCompareMemory(Buffer + 3 * 512, Other, 512), 512);
    CHECK_IS(Read(0x24, 100, 8, TRUE, Other), 8);
    CHECK_IS(RtlCompareMemory(Buffer, Other, sizeof(Buffer)), sizeof(Buffer));
    CHECK_IS(Write(0x34, 300, 2, TRUE, Buffer), 2);
    CHECK_IS(Read(0x20, 300, 2, FALSE, Other), 2);
    CHECK_IS(RtlCompareMemory(Buffer, Other, 1024), 1024);
    CHECK_IS(Read(0x20, 0, 1, FALSE, Other), 1);
    CHECK_IS(*(ULONG *)Other, 'TOOB');
}

TEST(a_wide_access_at_the_end_of_a_block_ends_it)
{
    Address(100, 1, FALSE);
    CHECK(Command(0x20) & DRQ);
    READ_PORT_BUFFER_USHORT((PUSHORT)P(0), (PUSHORT)Other, 255);
    CHECK_IS(READ_PORT_ULONG((PULONG)P(0)) & 0xffff, *(USHORT *)(Buffer + 510));
    CHECK(!(Settle() & DRQ));
    CHECK_IS(READ_PORT_USHORT((PUSHORT)P(0)), 0xffff); /* nothing more */
}

TEST(cylinders_heads_and_sectors)
{
    WRITE_PORT_UCHAR(P(6), 1); /* cylinder 0, head 1, sector 38: 63 + 37 = 100 */
    WRITE_PORT_UCHAR(P(2), 1);
    WRITE_PORT_UCHAR(P(3), 38);
    WRITE_PORT_UCHAR(P(4), 0);
    WRITE_PORT_UCHAR(P(5), 0);
    CHECK(Command(0x20) & DRQ);
    READ_PORT_BUFFER_USHORT((PUSHORT)P(0), (PUSHORT)Other, 256);
    CHECK_IS(RtlCompareMemory(Buffer, Other, 512), 512);
}

TEST(sectors_that_are_not_there)
{
    CHECK_IS(Read(0x20, SECTORS, 1, FALSE, Other), 0);
    CHECK(READ_PORT_UCHAR(P(7)) & ERR);
    CHECK_IS(READ_PORT_UCHAR(P(1)), NOT_FOUND);
    CHECK_IS(Read(0x20, SECTORS - 1, 2, FALSE, Other), 0);
    CHECK_IS(Read(0x24, 1ull << 40, 1, TRUE, Other), 0);
    CHECK_IS(READ_PORT_UCHAR(P(1)), NOT_FOUND);
    CHECK_IS(Write(0x30, SECTORS, 1, FALSE, Other), 0);
    CHECK_IS(Read(0x20, SECTORS - 1, 1, FALSE, Other), 1);
    CHECK_IS(READ_PORT_UCHAR(P(1)), 0);
}

TEST(commands_that_it_does_not_know)
{
    CHECK(Command(0xb0) & ERR);
    CHECK_IS(READ_PORT_UCHAR(P(1)), ABORTED);
    CHECK(Command(0xa1) & ERR);
    WRITE_PORT_UCHAR(P(1), 0x77);
    CHECK(Command(0xef) & ERR);
    WRITE_PORT_UCHAR(P(1), 3);
    WRITE_PORT_UCHAR(P(2), 0x44);
    CHECK(!(Command(0xef) & ERR));
    CHECK_IS(Read(0xec, 0, 0, FALSE, Other), 1);
    CHECK_IS(((PUSHORT)Other)[88] >> 8, 1 << 4); /* Ultra DMA 4 was chosen */
    CHECK(!(Command(0xe7) & ERR));
    CHECK(!(Command(0xe5) & ERR));
    CHECK_IS(READ_PORT_UCHAR(P(2)), 0xff);
    WRITE_PORT_UCHAR(P(6), 0x40);
    CHECK(!(Command(0xf8) & ERR));
    CHECK_IS(READ_PORT_UCHAR(P(3)) | READ_PORT_UCHAR(P(4)) << 8, SECTORS - 1);
}

TEST(the_second_device_is_absent)
{
    WRITE_PORT_UCHAR(P(6), 0x10);
    CHECK_IS(READ_PORT_UCHAR(P(7)), 0);
    WRITE_PORT_UCHAR(P(7), 0xec);
    CHECK_IS(READ_PORT_UCHAR(P(7)), 0);
    WRITE_PORT_UCHAR(P(6), 0);
    CHECK(READ_PORT_UCHAR(P(7)) & READY);
}

TEST(soft_reset)
{
    Address(0x1234, 5, FALSE);
    WRITE_PORT_UCHAR(CONTROL, 6);
    CHECK(READ_PORT_UCHAR(CONTROL) & BUSY);
    KeStallExecutionProcessor(10);
    WRITE_PORT_UCHAR(CONTROL, 2);
    CHECK(READ_PORT_UCHAR(CONTROL) & BUSY);
    CHECK_IS(Settle() & (READY | ERR | DRQ), READY);
    CHECK_IS(READ_PORT_UCHAR(P(1)), 1);
    CHECK_IS(READ_PORT_UCHAR(P(2)), 1);
    CHECK_IS(READ_PORT_UCHAR(P(3)), 1);
    CHECK_IS(READ_PORT_UCHAR(P(4)), 0);
    CHECK_IS(READ_PORT_UCHAR(P(5)), 0);
}

TEST(registers_keep_what_was_there_before)
{
    WRITE_PORT_UCHAR(P(3), 0x11);
    WRITE_PORT_UCHAR(P(3), 0x22);
    CHECK_IS(READ_PORT_UCHAR(P(3)), 0x22);
    WRITE_PORT_UCHAR(CONTROL, 0x82);
    CHECK_IS(READ_PORT_UCHAR(P(3)), 0x11);
    WRITE_PORT_UCHAR(P(2), 0); /* any write shows the present ones again */
    CHECK_IS(READ_PORT_UCHAR(P(3)), 0x22);
}

TEST(interrupts_only_when_enabled)
{
    KIRQL Irql;
    KAFFINITY Affinity;
    ULONG Vector = HalGetInterruptVector(Isa, 0, 14, 14, &Irql, &Affinity);

    CHECK_IS(IoConnectInterrupt(&Interrupt, Serve, NULL, NULL, Vector, Irql, Irql, Latched, FALSE, 1, FALSE),
             STATUS_SUCCESS);
    Command(0xe7);
    Sleep(1 * MS);
    CHECK_IS(Interrupts, 0);
    WRITE_PORT_UCHAR(CONTROL, 0); /* it is still asking */
    KeStallExecutionProcessor(1);
    CHECK_IS(Interrupts, 1);
    CHECK_IS(LastStatus & (READY | ERR), READY);
    Address(100, 4, FALSE);
    WRITE_PORT_UCHAR(P(7), 0x20);
    for (ULONG i = 0; i < 4; i++) {
        Sleep(1 * MS);
        CHECK_IS(Interrupts, 2 + i); /* one for each sector */
        READ_PORT_BUFFER_USHORT((PUSHORT)P(0), (PUSHORT)(Other + 512 * i), 256);
    }
    Sleep(1 * MS);
    CHECK_IS(Interrupts, 5);
    CHECK_IS(RtlCompareMemory(Buffer, Other, 2048), 2048);
    Address(100, 2, FALSE);
    WRITE_PORT_UCHAR(P(7), 0x30);
    Sleep(1 * MS);
    CHECK_IS(Interrupts, 5); /* none for the first block of a write */
    for (ULONG i = 0; i < 2; i++) {
        WRITE_PORT_BUFFER_USHORT((PUSHORT)P(0), (PUSHORT)(Buffer + 512 * i), 256);
        Sleep(1 * MS);
        CHECK_IS(Interrupts, 6 + i);
    }
}

/* ---- DMA ----------------------------------------------------------------------------------------------------------
 */

static ULONG Master(void)
{
    PCI_SLOT_NUMBER Slot = {.u.bits.DeviceNumber = 1};
    ULONG Bar;

    HalGetBusDataByOffset(PCIConfiguration, 0, Slot.u.AsULONG, &Bar, 0x20, 4);
    return Bar & 0xfff0;
}

typedef struct _REGION {
    ULONG Address;
    USHORT Bytes, Flags;
} REGION;

static UCHAR Dma(UCHAR Code, ULONG Sector, ULONG Count, ULONG Table, UCHAR Direction)
{
    ULONG Base = Master();

    Interrupts = 0;
    WRITE_PORT_ULONG((PULONG)(ULONG_PTR)(Base + 4), Table);
    WRITE_PORT_UCHAR((PUCHAR)(ULONG_PTR)(Base + 2), 6);
    Address(Sector, Count, FALSE);
    WRITE_PORT_UCHAR(P(7), Code);
    WRITE_PORT_UCHAR((PUCHAR)(ULONG_PTR)Base, Direction);
    WRITE_PORT_UCHAR((PUCHAR)(ULONG_PTR)Base, Direction | 1);
    Sleep(10 * MS);
    UCHAR Status = READ_PORT_UCHAR((PUCHAR)(ULONG_PTR)(Base + 2));
    WRITE_PORT_UCHAR((PUCHAR)(ULONG_PTR)Base, 0);
    return Status & 7;
}

TEST(dma_over_several_regions)
{
    PHYSICAL_ADDRESS High = {.QuadPart = 0xffffffff};
    PUCHAR Block = MmAllocateContiguousMemory(4 * PAGE_SIZE, High);
    ULONG Physical = MmGetPhysicalAddress(Block).LowPart;
    REGION *Table = (REGION *)Block;
    PUCHAR Data = Block + PAGE_SIZE;

    RtlZeroMemory(Block, 4 * PAGE_SIZE);
    Table[0] = (REGION){Physical + PAGE_SIZE + 2048, 514, 0};
    Table[1] = (REGION){Physical + PAGE_SIZE, 510, 0x8000};
    CHECK_IS(Dma(0xc8, 100, 2, Physical, 8), 4); /* interrupt, not active */
    CHECK_IS(Interrupts, 1);
    CHECK_IS(RtlCompareMemory(Data + 2048, Buffer, 514), 514);
    CHECK_IS(RtlCompareMemory(Data, Buffer + 514, 510), 510);
    CHECK_IS(Data[510], 0);

    RtlFillMemory(Data, 1024, 0xee);
    Table[0] = (REGION){Physical + PAGE_SIZE, 1024, 0x8000};
    CHECK_IS(Dma(0xca, 200, 2, Physical, 0), 4);
    CHECK_IS(Read(0x20, 200, 2, FALSE, Other), 2);
    CHECK_IS(Other[0], 0xee);
    CHECK_IS(Other[1023], 0xee);

    Table[0].Bytes = 2048; /* more than the disk has */
    CHECK_IS(Dma(0xc8, 100, 2, Physical, 8), 5);
    CHECK_IS(Interrupts, 1);
    Table[0].Bytes = 512; /* less: the disk waits for ever */
    CHECK_IS(Dma(0xc8, 100, 2, Physical, 8), 0);
    CHECK_IS(Interrupts, 0);
    WRITE_PORT_UCHAR(CONTROL, 4);
    WRITE_PORT_UCHAR(CONTROL, 0);
    Settle();
    Table[0] = (REGION){0xfffff000, 512, 0x8000}; /* no memory there */
    CHECK_IS(Dma(0xc8, 100, 1, Physical, 8), 6);
    CHECK(LastStatus & ERR);
    Table[0] = (REGION){Physical + PAGE_SIZE, 512, 0x8000};
    CHECK_IS(Dma(0xc8, 100, 1, Physical, 0), 6); /* the wrong way */
    MmFreeContiguousMemory(Block);
}

TEST(cleaning_up)
{
    WRITE_PORT_UCHAR(CONTROL, 2);
    IoDisconnectInterrupt(Interrupt);
}

CHECK_DRIVER(T(identify), T(several_sectors_by_ports), T(a_wide_access_at_the_end_of_a_block_ends_it),
             T(cylinders_heads_and_sectors), T(sectors_that_are_not_there), T(commands_that_it_does_not_know),
             T(the_second_device_is_absent), T(soft_reset), T(registers_keep_what_was_there_before),
             T(interrupts_only_when_enabled), T(dma_over_several_regions), T(cleaning_up))
