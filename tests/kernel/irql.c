/* IRQL: raising and lowering, by the headers' inline forms (mov cr8) and by the exported ones. */
#include "check.h"

/* The headers make KfRaiseIrql and KeLowerIrql inline; drivers built with other headers import them. */
typedef KIRQL RAISE(KIRQL);
typedef VOID LOWER(KIRQL);
extern RAISE *ImpRaise __asm__("__imp_KfRaiseIrql");
extern LOWER *ImpLower __asm__("__imp_KeLowerIrql");
extern KIRQL (*ImpRaiseToDpc)(void) __asm__("__imp_KeRaiseIrqlToDpcLevel");
extern KIRQL (*ImpRaiseToSynch)(void) __asm__("__imp_KeRaiseIrqlToSynchLevel");
extern KIRQL (*ImpCurrent)(void) __asm__("__imp_KeGetCurrentIrql");

TEST(raise_gives_the_old_level_and_sets_the_new)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= HIGH_LEVEL; Level++) {
        KIRQL Old = 0xff;

        KeRaiseIrql(Level, &Old);
        CHECK_IRQL(Level);
        CHECK_IS(Old, PASSIVE_LEVEL);
        KeLowerIrql(Old);
        CHECK_IRQL(PASSIVE_LEVEL);
    }
}

TEST(exported_raise_gives_the_old_level_and_sets_the_new)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= HIGH_LEVEL; Level++) {
        CHECK_IS(ImpRaise(Level), PASSIVE_LEVEL);
        CHECK_IRQL(Level);
        CHECK_IS(ImpCurrent(), Level);
        ImpLower(PASSIVE_LEVEL);
        CHECK_IRQL(PASSIVE_LEVEL);
    }
}

TEST(raise_to_the_present_level_changes_nothing)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= HIGH_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);

        CHECK_IS(KfRaiseIrql(Level), Level);
        CHECK_IRQL(Level);
        CHECK_IS(ImpRaise(Level), Level);
        CHECK_IRQL(Level);
        ImpLower(Level);
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
}

TEST(levels_are_climbed_and_left_one_by_one)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level < HIGH_LEVEL; Level++)
        CHECK_IS(KfRaiseIrql(Level + 1), Level);
    for (KIRQL Level = HIGH_LEVEL; Level > PASSIVE_LEVEL; Level--) {
        CHECK_IRQL(Level);
        KeLowerIrql(Level - 1);
    }
    for (KIRQL Level = PASSIVE_LEVEL; Level < HIGH_LEVEL; Level++)
        CHECK_IS(ImpRaise(Level + 1), Level);
    for (KIRQL Level = HIGH_LEVEL; Level > PASSIVE_LEVEL; Level--) {
        CHECK_IRQL(Level);
        ImpLower(Level - 1);
    }
}

TEST(inline_and_exported_forms_mix)
{
    KIRQL Old = KfRaiseIrql(DISPATCH_LEVEL);

    CHECK_IS(ImpRaise(HIGH_LEVEL), DISPATCH_LEVEL);
    KeLowerIrql(DISPATCH_LEVEL);
    CHECK_IS(ImpCurrent(), DISPATCH_LEVEL);
    ImpLower(Old);
}

TEST(raise_to_dpc_level_twice)
{
    CHECK_IS(KeRaiseIrqlToDpcLevel(), PASSIVE_LEVEL);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK_IS(ImpRaiseToDpc(), DISPATCH_LEVEL);
    CHECK_IRQL(DISPATCH_LEVEL);
    KeLowerIrql(PASSIVE_LEVEL);
}

TEST(synch_level_is_12)
{
    CHECK_IS(ImpRaiseToSynch(), PASSIVE_LEVEL);
    CHECK_IRQL(12);
    CHECK_IS(ImpRaiseToSynch(), 12);
    KeLowerIrql(PASSIVE_LEVEL);
}

/* Lowering lets a DPC in; what it raised for must be as before afterwards. */
static volatile LONG Ran;

static VOID CountDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Ran++;
}

TEST(lowering_in_steps_delivers_below_dispatch_only)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, CountDpc, NULL);
    Ran = 0;
    ImpRaise(HIGH_LEVEL);
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    for (KIRQL Level = HIGH_LEVEL; Level > DISPATCH_LEVEL; Level--) {
        ImpLower(Level - 1);
        CHECK_IS(Ran, 0);
    }
    ImpLower(APC_LEVEL);
    CHECK_IS(Ran, 1);
    CHECK_IRQL(APC_LEVEL);
    ImpLower(PASSIVE_LEVEL);
}

TEST(mov_cr8_delivers_like_the_routine)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, CountDpc, NULL);
    Ran = 0;
    __writecr8(HIGH_LEVEL);
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    __writecr8(DISPATCH_LEVEL);
    CHECK_IS(Ran, 0);
    __writecr8(PASSIVE_LEVEL);
    CHECK_IS(Ran, 1);
    CHECK_IS(__readcr8(), PASSIVE_LEVEL);
}

TEST(cli_holds_interrupts_off_until_sti)
{
    KDPC Dpc;

    KeInitializeDpc(&Dpc, CountDpc, NULL);
    Ran = 0;
    __asm__ volatile("cli" ::: "memory");
    CHECK(KeInsertQueueDpc(&Dpc, NULL, NULL));
    CHECK_IS(Ran, 0);
    CHECK_IRQL(PASSIVE_LEVEL);
    __asm__ volatile("sti" ::: "memory");
    CHECK_IS(Ran, 1);
}

TEST(the_processor_area_shows_the_level)
{
    KIRQL Old = KfRaiseIrql(5);

    CHECK_IS(__readgsbyte(0x50), 5); /* KPCR.Irql */
    KeLowerIrql(Old);
    CHECK_IS(__readgsbyte(0x50), PASSIVE_LEVEL);
}

/* docs: KeSaveFloatingPointState: on x64 drivers need neither, and both succeed. */
TEST(floating_point_state_is_saved_up_to_dispatch_level)
{
    for (KIRQL Level = PASSIVE_LEVEL; Level <= DISPATCH_LEVEL; Level++) {
        KIRQL Old = KfRaiseIrql(Level);
        KFLOATING_SAVE Save;

        CHECK_IS(KeSaveFloatingPointState(&Save), STATUS_SUCCESS);
        CHECK_IRQL(Level);
        CHECK_IS(KeRestoreFloatingPointState(&Save), STATUS_SUCCESS);
        CHECK_IRQL(Level);
        KeLowerIrql(Old);
    }
}

CHECK_DRIVER(T(raise_gives_the_old_level_and_sets_the_new), T(exported_raise_gives_the_old_level_and_sets_the_new),
             T(raise_to_the_present_level_changes_nothing), T(levels_are_climbed_and_left_one_by_one),
             T(inline_and_exported_forms_mix), T(raise_to_dpc_level_twice), T(synch_level_is_12),
             T(lowering_in_steps_delivers_below_dispatch_only), T(mov_cr8_delivers_like_the_routine),
             T(cli_holds_interrupts_off_until_sti), T(the_processor_area_shows_the_level),
             T(floating_point_state_is_saved_up_to_dispatch_level))
