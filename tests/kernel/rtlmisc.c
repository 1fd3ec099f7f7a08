/*
 * Small parts of the runtime library at the levels they are used at: memory at HIGH_LEVEL, the stack of a trap handler, strings,
 * characters, tables; and the list of ports that the HAL keeps from firmware. Built by clang. (docs: RtlCompareMemoryUlong,
 * RtlUpcaseUnicodeString, RtlIsValidOemCharacter, RtlInitializeGenericTable, pHalQuerySystemInformation)
 */
#include "check.h"

#undef RtlCompareMemoryUlong
NTSYSAPI SIZE_T NTAPI RtlCompareMemoryUlong(PVOID, SIZE_T, ULONG);
NTKERNELAPI BOOLEAN NTAPI RtlIsValidOemCharacter(PWCHAR);
NTKERNELAPI VOID NTAPI RtlCaptureContext(PCONTEXT);

static NTSTATUS Caught;
#define CAUGHT(Body)                                                                                                   \
    do {                                                                                                               \
        Caught = STATUS_SUCCESS;                                                                                       \
        __try {                                                                                                        \
            Body;                                                                                                      \
        } __except (EXCEPTION_EXECUTE_HANDLER) {                                                                       \
            Caught = GetExceptionCode();                                                                               \
        }                                                                                                              \
    } while (0)

/* ---- Memory -------------------------------------------------------------------------------------------------------- */

static UCHAR Buffer[513];

TEST(words_are_compared_from_any_address)
{
    static const struct {
        ULONG At, Bytes, Pattern, Same;
    } Rows[] = {{0, 4, 0x55555555, 4}, {1, 4, 0x55555555, 4}, {2, 4, 0x55555555, 4}, {3, 4, 0x55555555, 4},
                {5, 4, 0x55555555, 0}, {5, 4, 0x00555555, 4}, {0, 1, 0x55555555, 0}, {0, 2, 0x55555555, 0},
                {0, 3, 0x55555555, 0}, {0, 5, 0x55555555, 4}, {0, 8, 0x55555555, 8}, {0, 12, 0x55555555, 8}};
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    RtlZeroMemory(Buffer, sizeof(Buffer));
    RtlFillMemory(Buffer, 8, 0x55);
    for (ULONG i = 0; i < ARRAYSIZE(Rows); i++)
        CHECK_IS(RtlCompareMemoryUlong(Buffer + Rows[i].At, Rows[i].Bytes, Rows[i].Pattern), Rows[i].Same);
    CHECK_IS(RtlCompareMemoryUlong(NULL, 0, 5), 0);
    CHECK_IRQL(HIGH_LEVEL);
    KeLowerIrql(Old);
}

/* The two halves are alike for 249 bytes, from 7 before the middle on. */
TEST(memory_is_compared_as_far_as_it_is_alike)
{
    static const UCHAR Pattern[] = {0x12, 0x34, 0x56, 0x78, 0x9a, 0xbc, 0xde, 0xf0};
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    for (ULONG i = 0; i < 248; i++)
        Buffer[i] = Pattern[i % 8];
    Buffer[248] = 0x12;
    for (ULONG i = 0; i < 256; i++)
        Buffer[249 + i] = Pattern[i % 8];
    RtlFillMemory(Buffer + 505, 7, 0x12);
    CHECK_IS(RtlCompareMemory(Buffer, Buffer + 249, 248), 248);
    CHECK_IS(RtlCompareMemory(Buffer, Buffer + 249, 249), 249);
    CHECK_IS(RtlCompareMemory(Buffer, Buffer + 249, 250), 249);
    CHECK_IS(RtlCompareMemory(Buffer, Buffer + 249, (SIZE_T)-1), 249); /* it ends there, however long it might be */
    CHECK_IS(RtlCompareMemory(NULL, NULL, 0), 0);
    CHECK(RtlEqualMemory(Buffer, Buffer + 249, 249) && !RtlEqualMemory(Buffer, Buffer + 249, 250));
    CHECK_IS(Buffer[512], 0);
    KeLowerIrql(Old);
}

TEST(memory_is_moved_either_way)
{
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    for (ULONG i = 0; i < 512; i++)
        Buffer[i] = (UCHAR)(i ^ i >> 8);
    RtlMoveMemory(Buffer + 13, Buffer + 62, 95);
    for (ULONG i = 0; i < 95; i++)
        CHECK_IS(Buffer[13 + i], 62 + i);
    CHECK(Buffer[12] == 12 && Buffer[108] == 108);
    for (ULONG i = 0; i < 512; i++)
        Buffer[i] = (UCHAR)(i ^ i >> 8);
    RtlMoveMemory(Buffer + 78, Buffer + 43, 107);
    for (ULONG i = 0; i < 107; i++)
        CHECK_IS(Buffer[78 + i], 43 + i);
    CHECK(Buffer[77] == 77 && Buffer[185] == 185);
    RtlMoveMemory(NULL, NULL, 0);
    RtlFillMemory(Buffer + 3, 7, 0x88);
    CHECK(Buffer[2] == 2 && Buffer[3] == 0x88 && Buffer[9] == 0x88 && Buffer[10] == 10);
    CHECK_IS(Buffer[512], 0);
    KeLowerIrql(Old);
}

/* ---- Exceptions ---------------------------------------------------------------------------------------------------- */

static ULONG State;

static __attribute__((noinline)) void MayRaise(NTSTATUS Status)
{
    if (Status)
        ExRaiseStatus(Status);
}

static __attribute__((noinline)) void Inner(NTSTATUS Status)
{
    volatile int Local = 123;

    __try {
        State = 2;
        MayRaise(Status);
        State = 3;
    } __finally {
        CHECK_IS(Local, 123);
        CHECK_IS(State, Status ? 2 : 3);
        State = 4;
    }
    State = 5;
}

static __attribute__((noinline)) ULONG Outer(NTSTATUS Status)
{
    volatile int Local = 456;

    State = 1;
    CAUGHT(Inner(Status));
    CHECK_IS(Local, 456);
    CHECK_IS(Caught, Status);
    return State;
}

TEST(a_status_of_any_severity_is_raised)
{
    static const NTSTATUS Statuses[] = {STATUS_ACCESS_VIOLATION, STATUS_TIMEOUT, STATUS_STACK_OVERFLOW,
                                        STATUS_GUARD_PAGE_VIOLATION, STATUS_ASSERTION_FAILURE};

    CHECK_IS(Outer(STATUS_SUCCESS), 5);
    for (ULONG i = 0; i < ARRAYSIZE(Statuses); i++)
        CHECK_IS(Outer(Statuses[i]), 4);
}

static __attribute__((noinline)) ULONG_PTR WhereAmI(PCONTEXT Context)
{
    RtlCaptureContext(Context);
    return (ULONG_PTR)__builtin_frame_address(0);
}

TEST(the_context_is_that_of_the_caller)
{
    static CONTEXT Context;
    ULONG_PTR Frame;

    RtlFillMemory(&Context, sizeof(Context), 0xcc);
    Frame = WhereAmI(&Context);
    CHECK((ULONG_PTR)Context.Rip > (ULONG_PTR)WhereAmI && Context.Rip < (ULONG_PTR)WhereAmI + 0x100);
    CHECK(Context.Rsp <= Frame && Context.Rsp > Frame - 0x100);
    CHECK_IS(Context.ContextFlags & CONTEXT_AMD64, CONTEXT_AMD64);
    CHECK_IS(Context.MxCsr, __builtin_ia32_stmxcsr());
    CHECK(Context.EFlags & 0x200);
    CHECK(Context.SegCs && !(Context.SegCs & ~0xffff));
}

/* ---- Strings ------------------------------------------------------------------------------------------------------- */

TEST(an_empty_string_is_upcased_to_memory_of_its_own)
{
    WCHAR Letter[2] = {0};
    UNICODE_STRING Sources[] = {{0, 0, NULL}, {0, 0, Letter}, {0, 2, Letter}, {2, 2, Letter}}, Upper;

    for (ULONG i = 0; i < ARRAYSIZE(Sources); i++) {
        RtlFillMemory(&Upper, sizeof(Upper), 0x55);
        CHECK_IS(RtlUpcaseUnicodeString(&Upper, &Sources[i], TRUE), STATUS_SUCCESS);
        CHECK_IS(Upper.Length, Sources[i].Length);
        CHECK_IS(Upper.MaximumLength, Sources[i].Length);
        CHECK(Upper.Buffer != NULL);
        RtlFreeUnicodeString(&Upper);
    }
    Letter[0] = L'a';
    CHECK_IS(RtlUpcaseUnicodeString(&Upper, &Sources[3], TRUE), STATUS_SUCCESS);
    CHECK_IS(Upper.Buffer[0], L'A');
    RtlFreeUnicodeString(&Upper);
}

TEST(a_character_has_an_oem_byte_or_not)
{
    static const WCHAR Valid[] =
        L"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz~!#$%^&*()_+|`:;\"'-/\\ ";
    static const WCHAR Invalid[] = {L'?', 0x372, 0x3cf, 0x3d5f};
    WCHAR Char = 0;

    CHECK(RtlIsValidOemCharacter(&Char));
    for (ULONG i = 0; Valid[i]; i++) {
        Char = Valid[i];
        CHECK(RtlIsValidOemCharacter(&Char));
        CHECK_IS(Char, RtlUpcaseUnicodeChar(Valid[i]));
    }
    for (ULONG i = 0; i < ARRAYSIZE(Invalid); i++) {
        Char = Invalid[i];
        CHECK(!RtlIsValidOemCharacter(&Char));
        CHECK_IS(Char, RtlUpcaseUnicodeChar(Invalid[i]));
    }
    CAUGHT(RtlIsValidOemCharacter(NULL));
    CHECK_IS(Caught, STATUS_ACCESS_VIOLATION);
}

/* ---- Tables -------------------------------------------------------------------------------------------------------- */

static LONG Allocations;

static RTL_GENERIC_COMPARE_RESULTS NTAPI Compare(PRTL_GENERIC_TABLE Table, PVOID A, PVOID B)
{
    CHAR Left = *(PCHAR)A, Right = *(PCHAR)B;

    return Left < Right ? GenericLessThan : Left > Right ? GenericGreaterThan : GenericEqual;
}

static PVOID NTAPI Allocate(PRTL_GENERIC_TABLE Table, CLONG Bytes)
{
    Allocations++;
    return ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, 'elbT');
}

static VOID NTAPI Free(PRTL_GENERIC_TABLE Table, PVOID Block)
{
    Allocations--;
    ExFreePoolWithTag(Block, 'elbT');
}

TEST(a_table_takes_each_element_once)
{
    static CHAR Text[] = "Sphinx of black quartz, judge my vow!";
    RTL_GENERIC_TABLE Table;
    ULONG Distinct = 0, Seen = 0, Deleted = 0;
    PCHAR Element;

    RtlInitializeGenericTable(&Table, Compare, Allocate, Free, NULL);
    for (ULONG i = 0; Text[i]; i++) {
        BOOLEAN First = TRUE, New = 2;

        for (ULONG k = 0; k < i; k++)
            First &= Text[k] != Text[i];
        Element = RtlInsertElementGenericTable(&Table, &Text[i], 1, &New);
        CHECK(Element && *Element == Text[i]);
        CHECK_IS(New, First);
        Distinct += First;
    }
    CHECK_IS(RtlNumberGenericTableElements(&Table), Distinct);
    CHECK_IS(Allocations, Distinct);
    for (Element = RtlEnumerateGenericTable(&Table, TRUE); Element; Element = RtlEnumerateGenericTable(&Table, FALSE))
        Seen++;
    CHECK_IS(Seen, Distinct);
    CHECK(RtlLookupElementGenericTable(&Table, "q") && !RtlLookupElementGenericTable(&Table, "#"));
    for (ULONG i = 0; Text[i]; i++)
        Deleted += RtlDeleteElementGenericTable(&Table, &Text[i]);
    CHECK_IS(Deleted, Distinct);
    CHECK(RtlIsGenericTableEmpty(&Table) && !RtlGetElementGenericTable(&Table, 0));
    CHECK_IS(Allocations, 0);
}

/* ---- The HAL's list ------------------------------------------------------------------------------------------------ */

TEST(the_ports_kept_from_firmware_come_whole_or_not_at_all)
{
    HAL_AMLI_BAD_IO_ADDRESS_LIST List[32];
    ULONG Needed = 0, Again = 0, Data = 0x55555555, Handlers = 0;

    CHECK_IS(HalQuerySystemInformation(HalQueryAMLIIllegalIOPortAddresses, 0, NULL, &Needed),
             STATUS_INFO_LENGTH_MISMATCH);
    CHECK(Needed && Needed % sizeof(List[0]) == 0 && Needed <= sizeof(List));
    RtlFillMemory(List, sizeof(List), 0x55);
    CHECK_IS(HalQuerySystemInformation(HalQueryAMLIIllegalIOPortAddresses, Needed - 1, List, &Again),
             STATUS_INFO_LENGTH_MISMATCH);
    CHECK(Again == Needed && List[0].BadAddrBegin == 0x55555555);
    CHECK_IS(HalQuerySystemInformation(HalQueryAMLIIllegalIOPortAddresses, Needed, List, &Again), STATUS_SUCCESS);
    CHECK_IS(Again, Needed);
    for (ULONG i = 0; i < Needed / sizeof(List[0]); i++) {
        if (!List[i].IOHandler)
            continue;
        Handlers++;
        CHECK_IS(List[i].BadAddrBegin, 0xcf8);
        CHECK_IS(List[i].IOHandler(TRUE, List[i].BadAddrBegin - 1, 1, &Data), STATUS_UNSUCCESSFUL); /* not its own */
        CHECK_IS(Data, 0x55555555);
        Data = 0x80000000; /* bus 0, device 0 */
        CHECK_IS(List[i].IOHandler(FALSE, 0xcf8, 4, &Data), STATUS_SUCCESS);
        CHECK_IS(List[i].IOHandler(TRUE, 0xcf8, 4, &Data), STATUS_SUCCESS);
        CHECK_IS(Data, READ_PORT_ULONG((PULONG)0xcf8));
    }
    CHECK_IS(Handlers, 1);
    CHECK_IS(List[Needed / sizeof(List[0]) - 1].BadAddrSize, 0); /* its end */
}

CHECK_DRIVER(T(words_are_compared_from_any_address), T(memory_is_compared_as_far_as_it_is_alike),
             T(memory_is_moved_either_way), T(a_status_of_any_severity_is_raised), T(the_context_is_that_of_the_caller),
             T(an_empty_string_is_upcased_to_memory_of_its_own), T(a_character_has_an_oem_byte_or_not),
             T(a_table_takes_each_element_once), T(the_ports_kept_from_firmware_come_whole_or_not_at_all))
