/* Line-based interrupts: levels, sharing, exclusion, connecting and disconnecting. */
#define CHECK_ON_PROCESSOR_0
#include "../kernel/check.h"
#include "card.h"

typedef struct _SEEN {
    CARD Card;
    ULONG Calls, Claims;
    KIRQL Irql;
    BOOLEAN Refuse;
    ULONG Processor;
    PKINTERRUPT Interrupt;
} SEEN;

/* Claims what its card asks for. */
static BOOLEAN ServeCard(PKINTERRUPT Interrupt, PVOID Context)
{
    SEEN *Seen = Context;
    ULONG Status = Seen->Card[R_STATUS] & S_ALL;

    Seen->Calls++;
    Seen->Irql = KeGetCurrentIrql();
    Seen->Processor = KeGetCurrentProcessorNumber();
    Seen->Interrupt = Interrupt;
    if (!Status || Seen->Refuse)
        return FALSE;
    Seen->Card[R_STATUS] = Status;
    Seen->Claims++;
    return TRUE;
}

static NTSTATUS Connect(PKINTERRUPT *Interrupt, SEEN *Seen, BOOLEAN Share, KAFFINITY Affinity)
{
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);

    return IoConnectInterrupt(Interrupt, ServeCard, Seen, NULL, Vector, Irql, Irql, LevelSensitive, Share, Affinity,
                              FALSE);
}

static void Fill(CARD Card, PVOID Buffer, ULONG Bytes)
{
    *(volatile ULONGLONG *)&Card[R_DESTINATION] = MmGetPhysicalAddress(Buffer).QuadPart;
    Card[R_LENGTH] = Bytes;
    Card[R_COMMAND] = M_FILL;
    Card[R_DOORBELL] = 1;
}

TEST(a_vector_says_its_level)
{
    KIRQL Irql, Irql2;
    KAFFINITY Affinity;

    for (ULONG Line = 0; Line < 24; Line++) {
        ULONG Vector = HalGetInterruptVector(Isa, 0, Line, Line, &Irql, &Affinity);
        CHECK_IS(Vector >> 4, Irql);
        CHECK(Irql > DISPATCH_LEVEL && Irql < 12);
        CHECK(Affinity == KeQueryActiveProcessors());
        for (ULONG Other = 0; Other < Line; Other++)
            CHECK(HalGetInterruptVector(Isa, 0, Other, Other, &Irql2, &Affinity) != Vector);
    }
    CHECK_IS(HalGetInterruptVector(Isa, 0, 24, 24, &Irql, &Affinity), 0);
    CHECK_IS(Affinity, 0);
}

TEST(a_routine_runs_at_its_level_when_the_device_asks)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    KIRQL Irql;
    UCHAR Buffer[64];

    CardVector(&Irql);
    CHECK_IS(Connect(&Interrupt, &Seen, TRUE, 1), STATUS_SUCCESS);
    Seen.Card[R_CONTROL] = C_DMA_INTERRUPT;
    Seen.Card[R_SCRATCH] = 0x44332211;
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tseT');
    Fill(Seen.Card, Block, 64);
    CHECK_IS(Seen.Calls, 0); /* it takes its time */
    CHECK(Seen.Card[R_STATUS] & S_BUSY);
    Sleep(1 * MS);
    CHECK_IS(Seen.Calls, 1);
    CHECK_IS(Seen.Claims, 1);
    CHECK_IS(Seen.Irql, Irql);
    CHECK(Seen.Interrupt == Interrupt);
    CHECK_IS(Seen.Card[R_STATUS], 0);
    RtlCopyMemory(Buffer, Block, 64);
    CHECK_IS(*(ULONG *)(Buffer + 60), 0x44332211);
    ExFreePool(Block);
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

TEST(a_disabled_source_does_not_interrupt)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    PVOID Block = ExAllocatePoolWithTag(NonPagedPoolNx, 64, 'tseT');

    Connect(&Interrupt, &Seen, TRUE, 1);
    Fill(Seen.Card, Block, 64);
    Sleep(1 * MS);
    CHECK_IS(Seen.Calls, 0);
    CHECK_IS(Seen.Card[R_STATUS], S_DMA);
    Seen.Card[R_CONTROL] = C_DMA_INTERRUPT; /* now it does, at once */
    CHECK_IS(Seen.Calls, 1);
    IoDisconnectInterrupt(Interrupt);
    ExFreePool(Block);
    CloseCard(Seen.Card);
}

TEST(the_counter_interrupts_every_period)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;

    Connect(&Interrupt, &Seen, TRUE, 1);
    Seen.Card[R_PERIOD] = 100;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(1050 * US);
    Seen.Card[R_CONTROL] = 0;
    CHECK_IS(Seen.Card[R_TICKS], 10);
    CHECK_IS(Seen.Claims, 10);
    Sleep(1 * MS);
    CHECK_IS(Seen.Claims, 10);
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

TEST(a_raised_level_holds_the_interrupt_back)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    KIRQL Irql, OldIrql;

    CardVector(&Irql);
    Connect(&Interrupt, &Seen, TRUE, 1);
    Seen.Card[R_PERIOD] = 20;
    KeRaiseIrql(Irql, &OldIrql);
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(50);
    CHECK_IS(Seen.Calls, 0);
    KeLowerIrql(Irql - 1);
    CHECK_IS(Seen.Calls, 1);
    KeLowerIrql(OldIrql);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

TEST(interrupts_come_through_dispatch_level)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    KIRQL OldIrql;

    Connect(&Interrupt, &Seen, TRUE, 1);
    Seen.Card[R_PERIOD] = 20;
    KeRaiseIrql(DISPATCH_LEVEL, &OldIrql);
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(50);
    CHECK(Seen.Calls >= 1);
    KeLowerIrql(OldIrql);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

TEST(cleared_interrupt_flag_holds_them_back)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;

    Connect(&Interrupt, &Seen, TRUE, 1);
    Seen.Card[R_PERIOD] = 20;
    __asm__ volatile("cli" ::: "memory");
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(50);
    CHECK_IS(Seen.Calls, 0);
    __asm__ volatile("sti" ::: "memory");
    CHECK(Seen.Calls >= 1);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

/* Nothing but a register is touched: the interrupt comes between two instructions of the loop. */
TEST(an_interrupt_comes_into_a_loop_that_asks_the_device)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    volatile ULONG *Calls = &Seen.Calls;
    ULONG Rounds = 0;

    Connect(&Interrupt, &Seen, TRUE, 1);
    Seen.Card[R_PERIOD] = 30;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    while (!*Calls && Rounds < 100000) {
        (void)Seen.Card[R_ID];
        Rounds++;
    }
    CHECK(*Calls >= 1);
    CHECK(Rounds > 10 && Rounds < 1000);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

TEST(two_cards_share_a_line)
{
    SEEN One = {OpenCard(0)}, Two = {OpenCard(1)};
    PKINTERRUPT First, Second;

    CHECK_IS(Connect(&First, &One, TRUE, 1), STATUS_SUCCESS);
    CHECK_IS(Connect(&Second, &Two, TRUE, 1), STATUS_SUCCESS);
    Two.Card[R_PERIOD] = 100;
    Two.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(150 * US);
    CHECK_IS(One.Calls, 1); /* asked first, not its */
    CHECK_IS(One.Claims, 0);
    CHECK_IS(Two.Claims, 1);
    Two.Card[R_CONTROL] = 0;
    One.Card[R_PERIOD] = 100;
    One.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(150 * US);
    CHECK_IS(One.Claims, 1);
    CHECK_IS(Two.Calls, 1); /* the first one claimed it */
    IoDisconnectInterrupt(First);
    IoDisconnectInterrupt(Second);
    CloseCard(One.Card);
    CloseCard(Two.Card);
}

TEST(both_cards_at_once_are_both_served)
{
    SEEN One = {OpenCard(0)}, Two = {OpenCard(1)};
    PKINTERRUPT First, Second;
    KIRQL OldIrql;

    Connect(&First, &One, TRUE, 1);
    Connect(&Second, &Two, TRUE, 1);
    One.Card[R_PERIOD] = Two.Card[R_PERIOD] = 1000;
    KeRaiseIrql(HIGH_LEVEL, &OldIrql);
    One.Card[R_CONTROL] = Two.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(1100);
    KeLowerIrql(OldIrql);
    CHECK_IS(One.Claims, 1);
    CHECK_IS(Two.Claims, 1);
    IoDisconnectInterrupt(First);
    IoDisconnectInterrupt(Second);
    CloseCard(One.Card);
    CloseCard(Two.Card);
}

TEST(sharing_must_be_wanted_by_all)
{
    SEEN One = {OpenCard(0)}, Two = {OpenCard(1)};
    PKINTERRUPT First, Second = (PVOID)1;
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);

    CHECK_IS(Connect(&First, &One, FALSE, 1), STATUS_SUCCESS);
    CHECK_IS(Connect(&Second, &Two, TRUE, 1), STATUS_INVALID_PARAMETER);
    CHECK(Second == NULL);
    IoDisconnectInterrupt(First);
    CHECK_IS(Connect(&First, &One, TRUE, 1), STATUS_SUCCESS);
    CHECK_IS(IoConnectInterrupt(&Second, ServeCard, &Two, NULL, Vector, Irql, Irql, Latched, TRUE, 1, FALSE),
             STATUS_INVALID_PARAMETER);
    IoDisconnectInterrupt(First);
    CloseCard(One.Card);
    CloseCard(Two.Card);
}

TEST(bad_parameters_are_refused)
{
    SEEN Seen = {0};
    PKINTERRUPT Interrupt;
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);

    CHECK_IS(IoConnectInterrupt(&Interrupt, ServeCard, &Seen, NULL, Vector, Irql + 1, Irql + 1, LevelSensitive, TRUE, 1,
                                FALSE),
             STATUS_INVALID_PARAMETER);
    CHECK_IS(
        IoConnectInterrupt(&Interrupt, ServeCard, &Seen, NULL, Vector, Irql, Irql - 1, LevelSensitive, TRUE, 1, FALSE),
        STATUS_INVALID_PARAMETER);
    CHECK_IS(IoConnectInterrupt(&Interrupt, ServeCard, &Seen, NULL, Vector, Irql, Irql, LevelSensitive, TRUE, 0, FALSE),
             STATUS_INVALID_PARAMETER);
    CHECK_IS(
        IoConnectInterrupt(&Interrupt, ServeCard, &Seen, NULL, 0x31 + 0x1000, 3, 3, LevelSensitive, TRUE, 1, FALSE),
        STATUS_INVALID_PARAMETER);
}

TEST(the_higher_synchronisation_level_is_where_the_routine_runs)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);
    static KSPIN_LOCK Lock;

    CHECK_IS(
        IoConnectInterrupt(&Interrupt, ServeCard, &Seen, &Lock, Vector, Irql, Irql + 2, LevelSensitive, TRUE, 1, FALSE),
        STATUS_SUCCESS);
    Seen.Card[R_PERIOD] = 10;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(15 * US);
    CHECK_IS(Seen.Irql, Irql + 2);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

static KIRQL SyncIrql;
static BOOLEAN Synchronized(PVOID Context)
{
    SEEN *Seen = Context;

    SyncIrql = KeGetCurrentIrql();
    Seen->Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(100);
    return Seen->Calls == 0; /* held back */
}

TEST(synchronized_code_excludes_the_routine)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;
    KIRQL Irql, OldIrql;

    CardVector(&Irql);
    Connect(&Interrupt, &Seen, TRUE, 1);
    Seen.Card[R_PERIOD] = 40;
    CHECK(KeSynchronizeExecution(Interrupt, Synchronized, &Seen));
    CHECK_IS(SyncIrql, Irql);
    CHECK(Seen.Calls >= 1);
    Seen.Card[R_CONTROL] = 0;
    Seen.Calls = 0;
    OldIrql = KeAcquireInterruptSpinLock(Interrupt);
    CHECK_IS(OldIrql, PASSIVE_LEVEL);
    CHECK_IRQL(Irql);
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    KeStallExecutionProcessor(100);
    CHECK_IS(Seen.Calls, 0);
    KeReleaseInterruptSpinLock(Interrupt, OldIrql);
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK(Seen.Calls >= 1);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

static KDPC Dpc;
static KEVENT Done;
static KIRQL DpcIrql;
static VOID AfterInterrupt(PKDPC D, PVOID Context, PVOID A1, PVOID A2)
{
    DpcIrql = KeGetCurrentIrql();
    KeSetEvent(&Done, 0, FALSE);
}

static BOOLEAN ServiceWithDpc(PKINTERRUPT Interrupt, PVOID Context)
{
    CARD Card = Context;

    Card[R_STATUS] = S_ALL;
    Card[R_CONTROL] = 0;
    KeInsertQueueDpc(&Dpc, NULL, NULL);
    return TRUE;
}

TEST(routine_dpc_and_thread_follow_one_another)
{
    CARD Card = OpenCard(0);
    PKINTERRUPT Interrupt;
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);
    LONGLONG Before;

    KeInitializeDpc(&Dpc, AfterInterrupt, NULL);
    KeInitializeEvent(&Done, SynchronizationEvent, FALSE);
    IoConnectInterrupt(&Interrupt, ServiceWithDpc, (PVOID)Card, NULL, Vector, Irql, Irql, LevelSensitive, TRUE, 1,
                       FALSE);
    Before = Now();
    Card[R_PERIOD] = 500;
    Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    CHECK_IS(WaitFor(&Done), STATUS_SUCCESS);
    CHECK_IS(DpcIrql, DISPATCH_LEVEL);
    CHECK(Now() - Before >= 500 * US && Now() - Before < 510 * US);
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Card);
}

TEST(a_disconnected_routine_is_called_no_more)
{
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;

    Connect(&Interrupt, &Seen, TRUE, 1);
    IoDisconnectInterrupt(Interrupt);
    Seen.Card[R_PERIOD] = 10;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(1 * MS);
    CHECK_IS(Seen.Calls, 0);
    /* The line is still asserted: connecting again finds that out. */
    Connect(&Interrupt, &Seen, TRUE, 1);
    KeStallExecutionProcessor(1);
    CHECK(Seen.Claims >= 1);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

TEST(the_interrupt_comes_on_the_lowest_processor_of_the_mask)
{
    ULONG Count = KeQueryActiveProcessorCount(NULL);
    ULONG Wanted = Count - 1;
    SEEN Seen = {OpenCard(0)};
    PKINTERRUPT Interrupt;

    CHECK_IS(Connect(&Interrupt, &Seen, TRUE, (KAFFINITY)1 << Wanted), STATUS_SUCCESS);
    Seen.Card[R_PERIOD] = 100;
    Seen.Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    Sleep(1 * MS);
    CHECK(Seen.Claims >= 8);
    CHECK_IS(Seen.Processor, Wanted);
    Seen.Card[R_CONTROL] = 0;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Seen.Card);
}

CHECK_DRIVER(T(a_vector_says_its_level), T(a_routine_runs_at_its_level_when_the_device_asks),
             T(a_disabled_source_does_not_interrupt), T(the_counter_interrupts_every_period),
             T(a_raised_level_holds_the_interrupt_back), T(interrupts_come_through_dispatch_level),
             T(cleared_interrupt_flag_holds_them_back), T(an_interrupt_comes_into_a_loop_that_asks_the_device),
             T(two_cards_share_a_line), T(both_cards_at_once_are_both_served), T(sharing_must_be_wanted_by_all),
             T(bad_parameters_are_refused), T(the_higher_synchronisation_level_is_where_the_routine_runs),
             T(synchronized_code_excludes_the_routine), T(routine_dpc_and_thread_follow_one_another),
             T(a_disconnected_routine_is_called_no_more), T(the_interrupt_comes_on_the_lowest_processor_of_the_mask))
