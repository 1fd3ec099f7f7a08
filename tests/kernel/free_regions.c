/*
 * --build=free: critical and guarded regions entered and left at any level, in any order, more often left than entered. Both are
 * counts, and the level is a third thing that holds APCs off: KeAreApcsDisabled tells of the counts alone, KeAreAllApcsDisabled of
 * guarded regions and the level. (docs: KeAreApcsDisabled, KeAreAllApcsDisabled, KeEnterCriticalRegion, KeEnterGuardedRegion)
 */
#include "check.h"

/* What the two questions are answered, and the level. */
#define SHOWS(Apcs, AllApcs, Level)                                                                                    \
    (CHECK_IS(KeAreApcsDisabled(), Apcs), CHECK_IS(KeAreAllApcsDisabled(), AllApcs), CHECK_IRQL(Level))

TEST(critical_regions_nest)
{
    SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
    for (int i = 0; i < 3; i++) {
        KeEnterCriticalRegion();
        SHOWS(TRUE, FALSE, PASSIVE_LEVEL);
    }
    for (int i = 0; i < 3; i++) {
        SHOWS(TRUE, FALSE, PASSIVE_LEVEL);
        KeLeaveCriticalRegion();
    }
    SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
}

TEST(guarded_regions_nest_in_critical_ones_and_around_them)
{
    for (int i = 0; i < 3; i++) {
        KeEnterGuardedRegion();
        SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
    }
    KeEnterCriticalRegion();
    for (int i = 0; i < 3; i++) {
        SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
        KeLeaveGuardedRegion();
    }
    SHOWS(TRUE, FALSE, PASSIVE_LEVEL);
    KeLeaveCriticalRegion();
    SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
}

TEST(a_region_left_once_too_often_disables_as_well)
{
    KeLeaveCriticalRegion();
    SHOWS(TRUE, FALSE, PASSIVE_LEVEL);
    KeLeaveGuardedRegion();
    SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
    KeEnterCriticalRegion();
    SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
    KeEnterGuardedRegion();
    SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
}

TEST(the_level_holds_all_apcs_off_and_is_no_region)
{
    static const KIRQL Levels[] = {APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL};

    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old = KfRaiseIrql(Levels[i]);

        SHOWS(FALSE, TRUE, Levels[i]);
        KeEnterCriticalRegion();
        SHOWS(TRUE, TRUE, Levels[i]);
        KeLeaveCriticalRegion();
        KeEnterGuardedRegion();
        SHOWS(TRUE, TRUE, Levels[i]);
        KeLeaveGuardedRegion();
        SHOWS(FALSE, TRUE, Levels[i]);
        KeLowerIrql(Old);
        SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
    }
}

TEST(regions_outlast_the_level_they_were_entered_at)
{
    KIRQL Old = KfRaiseIrql(HIGH_LEVEL);

    KeEnterCriticalRegion();
    KeEnterGuardedRegion();
    KeLowerIrql(Old);
    SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
    KeLeaveCriticalRegion();
    SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
    KeLeaveGuardedRegion();
    SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
}

TEST(regions_may_be_left_above_the_level_they_were_entered_at)
{
    KIRQL Old;

    KeEnterGuardedRegion();
    Old = KfRaiseIrql(HIGH_LEVEL);
    KeEnterCriticalRegion();
    SHOWS(TRUE, TRUE, HIGH_LEVEL);
    KeLeaveGuardedRegion();
    SHOWS(TRUE, TRUE, HIGH_LEVEL);
    KeLowerIrql(Old);
    SHOWS(TRUE, FALSE, PASSIVE_LEVEL);
    Old = KfRaiseIrql(HIGH_LEVEL);
    KeEnterGuardedRegion();
    KeLeaveCriticalRegion();
    SHOWS(TRUE, TRUE, HIGH_LEVEL);
    KeLowerIrql(Old);
    SHOWS(TRUE, TRUE, PASSIVE_LEVEL);
    KeLeaveGuardedRegion();
    SHOWS(FALSE, FALSE, PASSIVE_LEVEL);
}

CHECK_DRIVER(T(critical_regions_nest), T(guarded_regions_nest_in_critical_ones_and_around_them),
             T(a_region_left_once_too_often_disables_as_well), T(the_level_holds_all_apcs_off_and_is_no_region),
             T(regions_outlast_the_level_they_were_entered_at),
             T(regions_may_be_left_above_the_level_they_were_entered_at))
