/*
 * The system time is set: \Callback\SetSystemTime is told, timers and waits with an absolute due time follow it, relative ones
 * and the interrupt time do not. (docs: KeSetTimer, KeWaitForSingleObject, ExCreateCallback)
 */
#include "check.h"

NTSYSAPI NTSTATUS NTAPI ZwSetSystemTime(PLARGE_INTEGER New, PLARGE_INTEGER Old);

static LONGLONG Clock(void)
{
    LARGE_INTEGER Time;
    KeQuerySystemTime(&Time);
    return Time.QuadPart;
}

static LONGLONG SetTime(LONGLONG Time)
{
    LARGE_INTEGER New = {.QuadPart = Time}, Old = {0};
    CHECK_IS(ZwSetSystemTime(&New, &Old), STATUS_SUCCESS);
    return Old.QuadPart;
}

/* How long an object takes to be signalled, as the machine's own clock has it. */
static LONGLONG Passes(PVOID Object, LONGLONG DueTime)
{
    LARGE_INTEGER Limit = {.QuadPart = DueTime};
    ULONGLONG Start = KeQueryInterruptTime();
    KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, DueTime ? &Limit : NULL);
    return (LONGLONG)(KeQueryInterruptTime() - Start);
}

static BOOLEAN Nearly(LONGLONG Time, LONGLONG Want)
{
    return Time >= Want - 100 && Time <= Want + 100;
}

TEST(absolute_timers_follow_the_system_time)
{
    KTIMER Absolute, Relative;
    LARGE_INTEGER Due = {.QuadPart = Clock() + 10 * SEC}, Interval = {.QuadPart = -10 * SEC};
    KeInitializeTimer(&Absolute);
    KeInitializeTimer(&Relative);
    KeSetTimer(&Absolute, Due, NULL);
    KeSetTimer(&Relative, Interval, NULL);
    LONGLONG Then = Clock(), Old = SetTime(Then + 6 * SEC);
    CHECK(Nearly(Old, Then) && Nearly(Clock(), Then + 6 * SEC));
    CHECK(Nearly(Passes(&Absolute, 0), 4 * SEC));
    CHECK(Nearly(Passes(&Relative, 0), 6 * SEC));
    Due.QuadPart = Clock() + 2 * SEC;
    KeSetTimer(&Absolute, Due, NULL);
    SetTime(Clock() - 3 * SEC); /* back: it takes longer */
    CHECK(Nearly(Passes(&Absolute, 0), 5 * SEC));
    Due.QuadPart = Clock() + 100 * SEC;
    KeSetTimer(&Absolute, Due, NULL);
    SetTime(Clock() + 1000 * SEC); /* past it: at once */
    CHECK(KeReadStateTimer(&Absolute));
    CHECK(!KeCancelTimer(&Absolute));
}

static LONG Order[4], Ran;

static VOID NTAPI Dpc(PKDPC Unused, PVOID Context, PVOID First, PVOID Second)
{
    Order[Ran++] = (LONG)(LONG_PTR)Context;
}

TEST(timers_passed_together_expire_in_order)
{
    static KTIMER Timer[4];
    static KDPC Routine[4];
    static const LONGLONG After[] = {40 * SEC, 10 * SEC, 30 * SEC, 20 * SEC};
    LONGLONG Start = Clock();
    for (ULONG i = 0; i < 4; i++) {
        LARGE_INTEGER Due = {.QuadPart = Start + After[i]};
        KeInitializeTimer(&Timer[i]);
        KeInitializeDpc(&Routine[i], Dpc, (PVOID)(ULONG_PTR)i);
        KeSetTimer(&Timer[i], Due, &Routine[i]);
    }
    SetTime(Start + 35 * SEC);
    KeFlushQueuedDpcs();
    CHECK(Ran == 3 && Order[0] == 1 && Order[1] == 3 && Order[2] == 2);
    CHECK(KeCancelTimer(&Timer[0]));
}

TEST(a_period_is_time_that_passes)
{
    KTIMER Timer;
    LARGE_INTEGER Due = {.QuadPart = Clock() + 1 * SEC};
    KeInitializeTimerEx(&Timer, SynchronizationTimer);
    KeSetTimerEx(&Timer, Due, 2000, NULL);
    CHECK(Nearly(Passes(&Timer, 0), 1 * SEC));
    SetTime(Clock() + 1 * SEC);
    CHECK(Nearly(Passes(&Timer, 0), 2 * SEC));
    KeCancelTimer(&Timer);
}

static KEVENT Never;
static LONGLONG Waited;

static VOID NTAPI Waiter(PVOID Context)
{
    Waited = Passes(&Never, *(LONGLONG *)Context);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

TEST(absolute_waits_follow_the_system_time)
{
    LONGLONG Until = Clock() + 20 * SEC;
    LARGE_INTEGER Short = {.QuadPart = -1 * SEC};
    HANDLE Thread;
    KeInitializeEvent(&Never, NotificationEvent, FALSE);
    CHECK_IS(PsCreateSystemThread(&Thread, THREAD_ALL_ACCESS, NULL, NULL, NULL, Waiter, &Until), STATUS_SUCCESS);
    KeDelayExecutionThread(KernelMode, FALSE, &Short);
    SetTime(Clock() + 10 * SEC);
    CHECK_IS(ZwWaitForSingleObject(Thread, FALSE, NULL), STATUS_SUCCESS);
    CHECK(Nearly(Waited, 10 * SEC));
    ZwClose(Thread);
}

static LONG Told;
static LONGLONG OldTold, NewTold;

static VOID NTAPI TimeCallback(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    CHECK(Context == &Told && KeGetCurrentIrql() == PASSIVE_LEVEL);
    Told++;
    OldTold = ((PLARGE_INTEGER)Argument1)->QuadPart;
    NewTold = ((PLARGE_INTEGER)Argument2)->QuadPart;
}

TEST(callbacks_are_told)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Callback\\SetSystemTime");
    OBJECT_ATTRIBUTES Attributes;
    PCALLBACK_OBJECT Object;
    LARGE_INTEGER Bad = {.QuadPart = -1};
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    CHECK_IS(ExCreateCallback(&Object, &Attributes, FALSE, TRUE), STATUS_SUCCESS);
    PVOID Registration = ExRegisterCallback(Object, TimeCallback, &Told);
    CHECK(Registration != NULL);
    LONGLONG Then = Clock();
    SetTime(Then + SEC);
    CHECK(Told == 1 && Nearly(OldTold, Then) && NewTold == Then + SEC);
    CHECK_IS(ZwSetSystemTime(&Bad, NULL), STATUS_INVALID_PARAMETER);
    CHECK_IS(ZwSetSystemTime(NULL, NULL), STATUS_INVALID_PARAMETER);
    CHECK(Told == 1);
    ExUnregisterCallback(Registration);
    ObDereferenceObject(Object);
}

TEST(an_ex_timer_follows_too)
{
    PEX_TIMER Timer = ExAllocateTimer(NULL, NULL, 0);
    CHECK(Timer != NULL);
    ExSetTimer(Timer, Clock() + 10 * SEC, 0, NULL);
    SetTime(Clock() + 7 * SEC);
    CHECK(Nearly(Passes(Timer, 0), 3 * SEC));
    ExDeleteTimer(Timer, TRUE, TRUE, NULL);
}

CHECK_DRIVER(T(absolute_timers_follow_the_system_time), T(timers_passed_together_expire_in_order),
             T(a_period_is_time_that_passes), T(absolute_waits_follow_the_system_time), T(callbacks_are_told),
             T(an_ex_timer_follows_too))
