/*
 * The rest of the kernel, as far as the runtime library needs it: pool, the image list, the door, and the entry point
 * that runs every table of tests. The pool counts its blocks, so every test is also a leak test.
 */
#include "test.h"

struct rtltest_host *TestHost;
ULONG TestFailures, TestBlocks;
static PCSTR TestName;
static struct door Door;
struct door *KiDoor = &Door;
PEPROCESS PsIdleProcess;

extern const RTL_TEST MemoryTests[], FormatTests[], CStringTests[], StringTests[], SehTests[], TableTests[],
    SecurityTests[], CompressTests[], NameTests[];
static const RTL_TEST *const Tables[] = {MemoryTests,   FormatTests, CStringTests,  StringTests, TableTests,
                                         SecurityTests, SehTests,    CompressTests, NameTests};
VOID TestFigures(VOID);

VOID TestPrint(PCSTR Format, ...)
{
    CHAR Text[1024];
    va_list Arguments;

    va_start(Arguments, Format);
    RtlpFormatV(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    TestHost->print(Text);
}

VOID TestFail(PCSTR File, ULONG Line, PCSTR What)
{
    TestFailures++;
    TestPrint("FAILED rtl: %s (%s:%u): %s\n", TestName, File, Line, What);
}

VOID TestEqual(PCSTR File, ULONG Line, PCSTR What, UINT64 Got, UINT64 Wanted)
{
    CHAR Text[512];

    if (Got == Wanted)
        return;
    RtlpFormat(Text, sizeof(Text), "%s is %#I64x (%I64d), wanted %#I64x (%I64d)", What, Got, Got, Wanted, Wanted);
    TestFail(File, Line, Text);
}

VOID TestSame(PCSTR File, ULONG Line, PCSTR Got, PCSTR Wanted)
{
    CHAR Text[512];
    PCSTR A = Got, B = Wanted;

    while (*A && *A == *B)
        A++, B++;
    if (*A == *B)
        return;
    RtlpFormat(Text, sizeof(Text), "got '%s', wanted '%s'", Got, Wanted);
    TestFail(File, Line, Text);
}

VOID TestSameWide(PCSTR File, ULONG Line, PCWSTR Got, PCWSTR Wanted)
{
    CHAR Text[512];
    PCWSTR A = Got, B = Wanted;

    while (*A && *A == *B)
        A++, B++;
    if (*A == *B)
        return;
    RtlpFormat(Text, sizeof(Text), "got '%S', wanted '%S'", Got, Wanted);
    TestFail(File, Line, Text);
}

/* ---- Pool ------------------------------------------------------------------------------------------------------ */

static UCHAR Heap[1 << 20] __attribute__((aligned(16)));
static SIZE_T HeapUsed;

PVOID NTAPI ExAllocatePoolWithTag(POOL_TYPE PoolType, SIZE_T Bytes, ULONG Tag)
{
    PUCHAR Block = Heap + HeapUsed;

    if (HeapUsed + Bytes + 16 > sizeof(Heap))
        return NULL;
    HeapUsed = (HeapUsed + Bytes + 15) & ~15ull;
    for (SIZE_T i = 0; i < Bytes; i++)
        Block[i] = 0xa5;
    TestBlocks++;
    return Block;
}

VOID NTAPI ExFreePoolWithTag(PVOID Block, ULONG Tag)
{
    TestBlocks--;
}

VOID NTAPI ExFreePool(PVOID Block)
{
    TestBlocks--;
}

/* ---- Start ----------------------------------------------------------------------------------------------------- */

VOID KiDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    if (RtlpDispatchException(Record, Context))
        return;
    TestPrint("FAILED rtl: %s: unhandled exception %08x at %p\n", TestName, Record->ExceptionCode, Context->Rip);
    TestHost->exit(70);
}

VOID TestTrapEntry(VOID);

VOID TestTrap(struct door_trap *Trap)
{
    PCONTEXT Context = (PCONTEXT)Trap->context;
    EXCEPTION_RECORD Record = {0};

    Record.ExceptionAddress = (PVOID)Context->Rip;
    switch (Trap->vector) {
    case DOOR_TRAP_PAGE_FAULT:
        Record.ExceptionCode = STATUS_ACCESS_VIOLATION;
        Record.NumberParameters = 2;
        Record.ExceptionInformation[0] = Trap->error & 16 ? 8 : Trap->error & 2 ? 1 : 0;
        Record.ExceptionInformation[1] = Trap->address;
        break;
    case DOOR_TRAP_DIVIDE:
        Record.ExceptionCode = STATUS_INTEGER_DIVIDE_BY_ZERO;
        break;
    case DOOR_TRAP_DEBUG:
        Record.ExceptionCode = STATUS_SINGLE_STEP;
        break;
    default:
        TestPrint("FAILED rtl: %s: trap %u at %p\n", TestName, Trap->vector, Context->Rip);
        TestHost->exit(70);
    }
    KiDispatchException(&Record, Context);
}

/* ---- Images ---------------------------------------------------------------------------------------------------- */

/* No linear view here: the physical address is chosen so that the view is the image itself. */
static MI_IMAGE TestImage;
LIST_ENTRY MiImages;

static VOID TestAddImage(PMI_IMAGE Image, UINT64 Base)
{
    const UCHAR *Header = (const UCHAR *)Base + *(const ULONG *)(Base + 0x3c);

    Image->Base = Base;
    Image->Physical = Base - DOOR_LINEAR_BASE;
    Image->Bytes = Image->MappedBytes = Image->Info.bytes = *(const ULONG *)(Header + 80);
    Image->Info.unwind = *(const ULONG *)(Header + 160);
    Image->Info.unwind_bytes = *(const ULONG *)(Header + 164);
}

UINT64 VfRoutineAt(UINT64 Address)
{
    return Address; /* nothing here goes through thunks */
}

PMI_IMAGE MmImageOf(UINT64 Address)
{
    return Address - TestImage.Base < TestImage.MappedBytes ? &TestImage : NULL;
}

VOID TestStart(struct rtltest_host *Host)
{
    ULONG Passed = 0, Failed = 0;

    TestHost = Host;
    Host->trap = (UINT64)TestTrapEntry;
    TestAddImage(&TestImage, RTLTEST_IMAGE_BASE);
    Door.os_major = 10;
    Door.os_build = 19045;
    if (Host->figures) {
        TestFigures();
        Host->exit(0);
    }
    for (ULONG i = 0; i < ARRAYSIZE(Tables); i++) {
        for (const RTL_TEST *Test = Tables[i]; Test->Name; Test++) {
            ULONG Before = TestFailures;
            TestName = Test->Name;
            TestBlocks = 0;
            HeapUsed = 0;
            if (Host->verbose)
                TestPrint("%s\n", TestName);
            Test->Run();
            EQUAL(TestBlocks, 0);
            if (TestFailures == Before)
                Passed++;
            else
                Failed++;
        }
    }
    TestPrint("rtl: %u passed, %u failed\n", Passed, Failed);
    Host->exit(Failed ? 1 : 0);
}
