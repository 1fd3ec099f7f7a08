/* Device memory by every kind of instruction, ports, and PCI configuration space. */
#define CHECK_ON_PROCESSOR_0
#include "../kernel/check.h"
#include "card.h"

#define PLAIN(Type, Offset) (*(volatile Type *)((volatile UCHAR *)&Card[R_PLAIN] + (Offset)))

TEST(plain_loads_and_stores)
{
    CARD Card = OpenCard(0);

    CHECK_IS(Card[R_ID], 0x42414c49);
    Card[R_SCRATCH] = 0x12345678;
    CHECK_IS(Card[R_SCRATCH], 0x12345678);
    PLAIN(ULONGLONG, 0) = 0x1122334455667788;
    CHECK_IS(PLAIN(ULONGLONG, 0), 0x1122334455667788);
    CHECK_IS(PLAIN(ULONG, 4), 0x11223344);
    CHECK_IS(PLAIN(USHORT, 2), 0x5566);
    CHECK_IS(PLAIN(UCHAR, 7), 0x11);
    PLAIN(UCHAR, 1) = 0xaa;
    PLAIN(USHORT, 4) = 0xbbcc;
    CHECK_IS(PLAIN(ULONGLONG, 0), 0x1122bbcc5566aa88);
    CHECK_IS((LONG)(SCHAR)PLAIN(UCHAR, 5), -0x45);
    CloseCard(Card);
}

TEST(read_modify_write_with_flags)
{
    CARD Card = OpenCard(0);
    ULONG Value = 5;
    UCHAR Carry, Zero;

    PLAIN(ULONG, 0) = 0xf0f0f0f0;
    __asm__ volatile("orl $0x0f, %0" : "+m"(PLAIN(ULONG, 0)));
    __asm__ volatile("andl $0xffff, %0" : "+m"(PLAIN(ULONG, 0)));
    __asm__ volatile("xorl %1, %0" : "+m"(PLAIN(ULONG, 0)) : "r"(0x10000));
    CHECK_IS(PLAIN(ULONG, 0), 0x1f0ff);
    __asm__ volatile("addl $0xfffe0f01, %0; setc %1; setz %2"
                     : "+m"(PLAIN(ULONG, 0)), "=r"(Carry), "=r"(Zero)
                     :
                     : "cc");
    CHECK_IS(PLAIN(ULONG, 0), 0);
    CHECK(Carry && Zero);
    __asm__ volatile("xchgl %0, %1" : "+r"(Value), "+m"(PLAIN(ULONG, 0)));
    CHECK_IS(Value, 0);
    CHECK_IS(PLAIN(ULONG, 0), 5);
    CHECK_IS(InterlockedCompareExchange((volatile LONG *)&PLAIN(ULONG, 0), 9, 5), 5);
    CHECK_IS(PLAIN(ULONG, 0), 9);
    CHECK_IS(InterlockedIncrement((volatile LONG *)&PLAIN(ULONG, 0)), 10);
    __asm__ volatile("btsl $2, %0; setc %1" : "+m"(PLAIN(ULONG, 0)), "=r"(Carry) : : "cc");
    CHECK_IS(PLAIN(ULONG, 0), 14);
    CHECK(!Carry);
    __asm__ volatile("cmpl $14, %1; setz %0" : "=r"(Zero) : "m"(PLAIN(ULONG, 0)) : "cc");
    CHECK(Zero);
    CloseCard(Card);
}

/* Reading the FIFO takes a number out of it: an access made twice would show. */
TEST(every_access_reaches_the_device_once)
{
    CARD Card = OpenCard(0);
    ULONG Numbers[64], Value = 100;

    for (ULONG i = 0; i < 64; i++)
        Numbers[i] = Card[R_FIFO];
    for (ULONG i = 0; i < 64; i++)
        CHECK_IS(Numbers[i], i);
    __asm__ volatile("addl %1, %0" : "+r"(Value) : "m"(Card[R_FIFO]) : "cc");
    CHECK_IS(Value, 164);
    CHECK_IS(Card[R_FIFO], 65);
    CloseCard(Card);
}

/* The destination is paged and closed: the fault must come before the device is read. */
TEST(a_page_fault_of_the_other_operand_loses_nothing)
{
    CARD Card = OpenCard(0);
    ULONG *Paged = ExAllocatePoolWithTag(PagedPool, 8 * PAGE_SIZE, 'tseT');
    KIRQL OldIrql;

    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql); /* closes the window */
    KeLowerIrql(OldIrql);
    for (ULONG i = 0; i < 4; i++) {
        PVOID To = Paged + i;
        const volatile ULONG *From = &Card[R_FIFO];
        __asm__ volatile("movsl" : "+D"(To), "+S"(From) : : "memory");
    }
    for (ULONG i = 0; i < 4; i++)
        CHECK_IS(Paged[i], i);
    CHECK_IS(Card[R_FIFO], 4);
    ExFreePool(Paged);
    CloseCard(Card);
}

TEST(string_instructions)
{
    CARD Card = OpenCard(0);
    ULONG Buffer[16], Copy[16];
    PVOID To = (PVOID)&Card[R_PLAIN];
    const VOID *From = Buffer;
    SIZE_T Count = 16;

    for (ULONG i = 0; i < 16; i++)
        Buffer[i] = i * 0x01010101;
    __asm__ volatile("rep movsl" : "+D"(To), "+S"(From), "+c"(Count) : : "memory");
    CHECK_IS(Count, 0);
    CHECK(To == &Card[R_PLAIN + 16] && From == Buffer + 16);
    RtlCopyMemory(Copy, (PVOID)&Card[R_PLAIN], sizeof(Copy));
    CHECK_IS(RtlCompareMemory(Buffer, Copy, sizeof(Copy)), sizeof(Copy));
    To = (PVOID)&Card[R_PLAIN];
    Count = 8;
    __asm__ volatile("rep stosw" : "+D"(To), "+c"(Count) : "a"(0x7777) : "memory");
    CHECK_IS(Card[R_PLAIN + 3], 0x77777777);
    CHECK_IS(Card[R_PLAIN + 4], 0x04040404);
    RtlZeroMemory((PVOID)&Card[R_PLAIN], 64);
    CHECK_IS(Card[R_PLAIN + 15], 0);
    To = (PVOID)&Card[R_PLAIN + 8]; /* from one register to another */
    From = (PVOID)&Card[R_PLAIN];
    Card[R_PLAIN] = 0xabcdef01;
    __asm__ volatile("movsl" : "+D"(To), "+S"(From) : : "memory");
    CHECK_IS(Card[R_PLAIN + 8], 0xabcdef01);
    CloseCard(Card);
}

TEST(vector_registers)
{
    CARD Card = OpenCard(0);
    ULONGLONG Pair[2] __attribute__((aligned(16))) = {0x0123456789abcdef, 0xfedcba9876543210},
                      Back[2] __attribute__((aligned(16)));

    __asm__ volatile(
        "movaps (%1), %%xmm0; movaps %%xmm0, (%0); pxor %%xmm1, %%xmm1; movups (%0), %%xmm1; movaps %%xmm1, (%2)"
        :
        : "r"(&Card[R_PLAIN]), "r"(Pair), "r"(Back)
        : "memory", "xmm0", "xmm1");
    CHECK_IS(Back[0], Pair[0]);
    CHECK_IS(Back[1], Pair[1]);
    CHECK_IS(Card[R_PLAIN + 3], 0xfedcba98);
    CloseCard(Card);
}

TEST(two_mappings_show_one_device)
{
    CARD One = OpenCard(0), Two = OpenCard(0);

    CHECK(One != Two);
    One[R_SCRATCH] = 77;
    CHECK_IS(Two[R_SCRATCH], 77);
    CHECK(MmGetPhysicalAddress((PVOID)&One[R_SCRATCH]).QuadPart ==
          MmGetPhysicalAddress((PVOID)&Two[R_SCRATCH]).QuadPart);
    MmUnmapIoSpace((PVOID)One, PAGE_SIZE);
    CHECK_IS(Two[R_SCRATCH], 77);
    CloseCard(Two);
}

TEST(registers_can_be_used_at_any_level)
{
    CARD Card = OpenCard(0);
    KIRQL OldIrql;

    KeRaiseIrql(HIGH_LEVEL, &OldIrql);
    Card[R_SCRATCH] = 1;
    CHECK_IS(Card[R_SCRATCH], 1);
    KeLowerIrql(OldIrql);
    CloseCard(Card);
}

TEST(kernel_routines_can_be_given_registers)
{
    CARD Card = OpenCard(0);
    UCHAR Line[64];
    ANSI_STRING Text;

    RtlCopyMemory((PVOID)&Card[R_PLAIN], "registers", 10);
    RtlInitAnsiString(&Text, (PCSZ)&Card[R_PLAIN]);
    CHECK_IS(Text.Length, 9);
    RtlCopyMemory(Line, (PVOID)&Card[R_PLAIN], 10);
    CHECK_IS(RtlCompareMemory(Line, "registers", 10), 10);
    CloseCard(Card);
}

TEST(nobody_answers_where_nothing_is)
{
    CHECK_IS(READ_PORT_UCHAR((PUCHAR)0x3210), 0xff);
    CHECK_IS(READ_PORT_USHORT((PUSHORT)0x3210), 0xffff);
    CHECK_IS(READ_PORT_ULONG((PULONG)0x3210), 0xffffffff);
    WRITE_PORT_ULONG((PULONG)0x3210, 0);
}

TEST(a_port_access_takes_time)
{
    LONGLONG Before = Now(), After;

    for (ULONG i = 0; i < 100; i++)
        READ_PORT_UCHAR((PUCHAR)0x3210);
    After = Now();
    CHECK(After - Before >= 100 * 5 && After - Before < 200 * 5);
}

TEST(configuration_space_by_ports)
{
    WRITE_PORT_ULONG((PULONG)0xcf8, 0x80000000 | 2 << 11);
    CHECK_IS(READ_PORT_ULONG((PULONG)0xcfc), CARD_DEVICE << 16 | CARD_VENDOR);
    CHECK_IS(READ_PORT_USHORT((PUSHORT)0xcfe), CARD_DEVICE);
    CHECK_IS(READ_PORT_UCHAR((PUCHAR)0xcfd), CARD_VENDOR >> 8);
    WRITE_PORT_ULONG((PULONG)0xcf8, 0x80000000 | 20 << 11);
    CHECK_IS(READ_PORT_ULONG((PULONG)0xcfc), 0xffffffff);
    WRITE_PORT_ULONG((PULONG)0xcf8, 0);
    CHECK_IS(READ_PORT_ULONG((PULONG)0xcfc), 0xffffffff);
}

TEST(configuration_space_by_routines)
{
    PCI_COMMON_CONFIG Config;
    ULONG Found = 0, Value;
    USHORT Vendor;

    for (ULONG Slot = 0; Slot < 32; Slot++) {
        ULONG Bytes = HalGetBusData(PCIConfiguration, 0, Slot, &Config, sizeof(Config));
        if (Bytes == sizeof(Config)) {
            CHECK_IS(Config.VendorID, CARD_VENDOR);
            Found++;
        } else {
            CHECK_IS(Bytes, 2);
            CHECK_IS(Config.VendorID, PCI_INVALID_VENDORID);
        }
    }
    CHECK_IS(Found, 4);
    CHECK_IS(HalGetBusData(PCIConfiguration, 1, 0, &Config, sizeof(Config)), 0);
    CHECK_IS(HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Vendor, 1, 1), 1);
    CHECK_IS((UCHAR)Vendor, CARD_VENDOR >> 8);
    CHECK_IS(HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Value, 254, 4), 2);
    CHECK_IS(HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Value, 256, 4), 0);
    Value = 0xffffffff; /* the size of a base address register */
    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(1), &Value, 0x10, 4);
    HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(1), &Value, 0x10, 4);
    CHECK_IS(Value, 0xfffff004);
    Value = 0x1000 | 4;
    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(1), &Value, 0x10, 4);
    Value = 0;
    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(1), &Value, 0, 4); /* read-only */
    HalGetBusDataByOffset(PCIConfiguration, 0, CardSlot(1), &Value, 0, 4);
    CHECK_IS(Value, CARD_DEVICE << 16 | CARD_VENDOR);
}

TEST(a_card_that_does_not_decode_is_not_there)
{
    CARD Card = OpenCard(0);
    USHORT Command = 0;

    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Command, 4, 2);
    CHECK_IS(Card[R_ID], 0xffffffff);
    Command = PCI_ENABLE_MEMORY_SPACE;
    HalSetBusDataByOffset(PCIConfiguration, 0, CardSlot(0), &Command, 4, 2);
    CHECK_IS(Card[R_ID], 0x42414c49);
    CloseCard(Card);
}

TEST(addresses_translate_to_themselves)
{
    PHYSICAL_ADDRESS Address = {.QuadPart = 0xf000000010}, Translated;
    ULONG Space = 0;

    CHECK(HalTranslateBusAddress(PCIBus, 0, Address, &Space, &Translated));
    CHECK_IS(Translated.QuadPart, Address.QuadPart);
    CHECK_IS(Space, 0);
    Space = 1;
    CHECK(!HalTranslateBusAddress(PCIBus, 0, Address, &Space, &Translated));
    CHECK(!HalTranslateBusAddress(PCIBus, 7, Address, &Space, &Translated));
}

CHECK_DRIVER(T(plain_loads_and_stores), T(read_modify_write_with_flags), T(every_access_reaches_the_device_once),
             T(a_page_fault_of_the_other_operand_loses_nothing), T(string_instructions), T(vector_registers),
             T(two_mappings_show_one_device), T(registers_can_be_used_at_any_level),
             T(kernel_routines_can_be_given_registers), T(nobody_answers_where_nothing_is), T(a_port_access_takes_time),
             T(configuration_space_by_ports), T(configuration_space_by_routines),
             T(a_card_that_does_not_decode_is_not_there), T(addresses_translate_to_themselves))
