/* Virtual time: what lets it pass, what does not, and that all clocks tell the same. */
#include "check.h"

extern VOID (*ImpQuerySystemTimePrecise)(PLARGE_INTEGER) __asm__("__imp_KeQuerySystemTimePrecise");

TEST(time_stands_still_while_nothing_is_asked)
{
    LONGLONG Start = Now();
    volatile ULONG Sum = 0;

    for (ULONG i = 0; i < 100000; i++)
        Sum += i;
    CHECK_IS(Now(), Start);
}

TEST(a_delay_takes_exactly_its_time)
{
    static const LONGLONG Durations[] = {1, 10 * US, 1 * MS, 15 * MS + 1, 1 * SEC, 3600 * SEC};

    for (ULONG i = 0; i < ARRAYSIZE(Durations); i++) {
        LONGLONG Start = Now();
        LARGE_INTEGER Due = In(Durations[i]);

        CHECK_IS(KeDelayExecutionThread(KernelMode, FALSE, &Due), STATUS_SUCCESS);
        CHECK_IS(Now() - Start, Durations[i]);
    }
}

TEST(a_delay_until_an_absolute_time_ends_then)
{
    LARGE_INTEGER Due, After;

    KeQuerySystemTime(&Due);
    Due.QuadPart += 42 * MS;
    KeDelayExecutionThread(KernelMode, FALSE, &Due);
    KeQuerySystemTime(&After);
    CHECK_IS(After.QuadPart, Due.QuadPart);
}

TEST(a_stall_takes_exactly_its_time)
{
    LONGLONG Start = Now();

    KeStallExecutionProcessor(1);
    CHECK_IS(Now() - Start, 1 * US);
    KeStallExecutionProcessor(50);
    CHECK_IS(Now() - Start, 51 * US);
}

TEST(system_time_and_interrupt_time_go_alike)
{
    LARGE_INTEGER Before, After;
    LONGLONG Start = Now();

    KeQuerySystemTime(&Before);
    Sleep(123 * MS);
    KeQuerySystemTime(&After);
    CHECK_IS(After.QuadPart - Before.QuadPart, 123 * MS);
    CHECK_IS(Now() - Start, 123 * MS);
}

TEST(performance_counter_runs_at_its_frequency)
{
    LARGE_INTEGER Frequency, Before, After;
    LONGLONG Elapsed, Start;

    Before = KeQueryPerformanceCounter(&Frequency);
    CHECK_IS(Frequency.QuadPart, 10000000);
    Start = Now();
    Sleep(1 * SEC);
    Elapsed = Now() - Start;
    After = KeQueryPerformanceCounter(NULL);
    CHECK(After.QuadPart - Before.QuadPart >= Elapsed);
    CHECK(After.QuadPart - Before.QuadPart <= Elapsed + 100 * US);
    Before = KeQueryPerformanceCounter(NULL);
    CHECK(Before.QuadPart > After.QuadPart);
}

TEST(tick_count_counts_ticks_of_the_time_increment)
{
    LARGE_INTEGER Before, After;

    CHECK_IS(KeQueryTimeIncrement(), 156250);
    KeQueryTickCount(&Before);
    Sleep(100 * (LONGLONG)KeQueryTimeIncrement());
    KeQueryTickCount(&After);
    CHECK_IS(After.QuadPart - Before.QuadPart, 100);
}

TEST(time_is_after_boot_and_in_a_plausible_year)
{
    LARGE_INTEGER Time;

    KeQuerySystemTime(&Time);
    CHECK(Time.QuadPart > 125911584000000000LL); /* the year 2000 */
    CHECK(Time.QuadPart < 157469184000000000LL); /* 2100 */
}

/* Each precise read takes a little time, so that a driver that polls the clock gets there. */
TEST(polling_the_clock_lets_time_pass)
{
    LARGE_INTEGER End, Time;
    ULONG Reads = 0;

    ImpQuerySystemTimePrecise(&End);
    End.QuadPart += 100 * US;
    do {
        ImpQuerySystemTimePrecise(&Time);
        Reads++;
    } while (Time.QuadPart < End.QuadPart && Reads < 1000000);
    CHECK(Time.QuadPart >= End.QuadPart);
    CHECK(Reads > 1);
}

TEST(rdtsc_goes_forward_with_virtual_time)
{
    ULONGLONG Before = __rdtsc(), After;

    Sleep(1 * SEC);
    After = __rdtsc();
    CHECK(After > Before);
    CHECK(After - Before > 1000000); /* a second is at least a million of any processor's cycles */
}

/* Timers due during a stall expire in it, in order, when the level allows. */
static LONGLONG At;

static VOID NoteDpc(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    At = Now();
}

TEST(a_timer_interrupts_a_stall)
{
    KTIMER Timer;
    KDPC Dpc;

    KeInitializeTimer(&Timer);
    KeInitializeDpc(&Dpc, NoteDpc, NULL);
    At = 0;
    KeSetTimer(&Timer, In(10 * US), &Dpc);
    KeStallExecutionProcessor(5);
    CHECK_IS(At, 0);
    KeStallExecutionProcessor(20);
    CHECK(At != 0);
}

CHECK_DRIVER(T(time_stands_still_while_nothing_is_asked), T(a_delay_takes_exactly_its_time),
             T(a_delay_until_an_absolute_time_ends_then), T(a_stall_takes_exactly_its_time),
             T(system_time_and_interrupt_time_go_alike), T(performance_counter_runs_at_its_frequency),
             T(tick_count_counts_ticks_of_the_time_increment), T(time_is_after_boot_and_in_a_plausible_year),
             T(polling_the_clock_lets_time_pass), T(rdtsc_goes_forward_with_virtual_time),
             T(a_timer_interrupts_a_stall))
