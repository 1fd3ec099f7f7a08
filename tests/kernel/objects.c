/*
 * What the routines that make events, timers, mutexes and DPCs write: the type, the size, the state, and of the header's other bytes
 * nothing, so that a driver's object looks as on Windows in its debugger and its own checks. (docs: DISPATCHER_HEADER's users:
 * KeInitializeEvent, KeInitializeTimerEx, KeInitializeMutex, KeInitializeDpc) Built by clang.
 */
#include "check.h"

NTKERNELAPI VOID NTAPI KeInitializeMutant(PRKMUTEX, BOOLEAN);
NTKERNELAPI LONG NTAPI KeReleaseMutant(PRKMUTEX, KPRIORITY, BOOLEAN, BOOLEAN);

#define UNTOUCHED ((LONGLONG)0x5555555555555555)

/* Caught: the status that Body raised, or success. */
#define CAUGHT(Caught, Body)                                                                                           \
    do {                                                                                                               \
        Caught = STATUS_SUCCESS;                                                                                       \
        __try {                                                                                                        \
            Body;                                                                                                      \
        } __except (EXCEPTION_EXECUTE_HANDLER) {                                                                       \
            Caught = GetExceptionCode();                                                                               \
        }                                                                                                              \
    } while (0)

static const KIRQL Levels[] = {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL};

TEST(an_event_at_each_level)
{
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++)
        for (int Type = NotificationEvent; Type <= SynchronizationEvent; Type++)
            for (LONG State = 0; State <= 1; State++) {
                KIRQL Old = KfRaiseIrql(Levels[i]);
                KEVENT Event;

                RtlFillMemory(&Event, sizeof(Event), 0x55);
                KeInitializeEvent(&Event, Type, (BOOLEAN)State);
                CHECK_IS(Event.Header.Lock, 0x55005500 | sizeof(Event) / 4 << 16 | Type);
                CHECK_IS(KeReadStateEvent(&Event), State);
                CHECK(IsListEmpty(&Event.Header.WaitListHead));
                Event.Header.SignalState = 0x12345678;
                CHECK_IS(KePulseEvent(&Event, 0, FALSE), 0x12345678);
                CHECK_IS(KeReadStateEvent(&Event), 0);
                CHECK_IS(KeSetEvent(&Event, 0, FALSE), 0);
                CHECK_IS(KeResetEvent(&Event), 1);
                Event.Header.SignalState = 0x23456789;
                CHECK_IS(KeSetEvent(&Event, 0, FALSE), 0x23456789);
                CHECK_IS(KeReadStateEvent(&Event), 1);
                Event.Header.SignalState = 0x3456789a;
                CHECK_IS(KeResetEvent(&Event), 0x3456789a);
                Event.Header.SignalState = 7;
                KeClearEvent(&Event);
                CHECK_IS(KeReadStateEvent(&Event), 0);
                CHECK_IS(Event.Header.Lock, 0x55005500 | sizeof(Event) / 4 << 16 | Type);
                CHECK_IRQL(Levels[i]);
                KeLowerIrql(Old);
            }
}

TEST(a_timer_at_each_level)
{
    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++)
        for (int Type = NotificationTimer; Type <= SynchronizationTimer; Type++) {
            KIRQL Old = KfRaiseIrql(Levels[i]);
            KTIMER Timer;

            RtlFillMemory(&Timer, sizeof(Timer), 0x55);
            KeInitializeTimerEx(&Timer, Type);
            CHECK_IS(Timer.Header.Lock, 0x5500 | (8 + Type)); /* the size is of no interest since Windows 7 */
            CHECK_IS(KeReadStateTimer(&Timer), 0);
            CHECK(IsListEmpty(&Timer.Header.WaitListHead));
            CHECK_IS(Timer.DueTime.QuadPart, 0);
            CHECK_IS(Timer.Period, 0);
            CHECK_IRQL(Levels[i]);
            KeLowerIrql(Old);
        }
}

static VOID Nothing(PKDPC Dpc, PVOID Context, PVOID Argument1, PVOID Argument2)
{
}

TEST(a_dpc)
{
    NTSTATUS Caught;
    KDPC Dpc;

    RtlFillMemory(&Dpc, sizeof(Dpc), 0x55);
    KeInitializeDpc(&Dpc, Nothing, &Dpc);
    CHECK_IS(Dpc.Type, 19);
    CHECK_IS(Dpc.Importance, MediumImportance);
    CHECK_IS(Dpc.Number, 0);
    CHECK(Dpc.DeferredRoutine == Nothing && Dpc.DeferredContext == &Dpc);
    CHECK_IS(Dpc.SystemArgument1, UNTOUCHED);
    CHECK_IS(Dpc.SystemArgument2, UNTOUCHED);
    CHECK_IS(Dpc.DpcListEntry.Flink, UNTOUCHED);
    CHECK_IS(Dpc.DpcListEntry.Blink, UNTOUCHED);
    CHECK_IS(Dpc.DpcData, NULL);
    CAUGHT(Caught, KeInitializeDpc(NULL, NULL, NULL));
    CHECK_IS(Caught, STATUS_ACCESS_VIOLATION);
}

/* ---- Mutexes and mutants ------------------------------------------------------------------------------------------- */

/* Depth: how often it is owned. */
static void MutexIs(PKMUTEX Mutex, LONG Depth, BOOLEAN ApcDisable)
{
    CHECK_IS(Mutex->Header.Lock, 0x55005500 | sizeof(*Mutex) / 4 << 16 | 2);
    CHECK_IS(KeReadStateMutex(Mutex), 1 - Depth);
    CHECK(IsListEmpty(&Mutex->Header.WaitListHead));
    CHECK_IS(Mutex->OwnerThread, Depth ? KeGetCurrentThread() : NULL);
    CHECK_IS(Mutex->Abandoned, 0);
    CHECK_IS(Mutex->ApcDisable, ApcDisable);
    CHECK_IS(KeAreApcsDisabled(), Depth && ApcDisable);
    CHECK(!KeAreAllApcsDisabled());
    CHECK_IRQL(PASSIVE_LEVEL);
}

static LONG Release(PKMUTEX Mutex)
{
    return Mutex->ApcDisable ? KeReleaseMutex(Mutex, FALSE) : KeReleaseMutant(Mutex, 1, FALSE, FALSE);
}

/* The state counts down from 1, once for each acquisition, as far as it goes. */
static void Recursion(PKMUTEX Mutex, BOOLEAN ApcDisable)
{
    NTSTATUS Caught, Status = STATUS_UNSUCCESSFUL;

    for (LONG i = 1; i <= 8; i++) {
        CHECK_IS(WaitFor(Mutex), STATUS_SUCCESS);
        MutexIs(Mutex, i, ApcDisable);
    }
    for (LONG i = 7; i >= 0; i--) {
        CHECK_IS(Release(Mutex), -i);
        MutexIs(Mutex, i, ApcDisable);
    }
    CHECK_IS(WaitFor(Mutex), STATUS_SUCCESS);
    Mutex->Header.SignalState = (LONG)MINLONG + 1;
    CHECK_IS(WaitFor(Mutex), STATUS_SUCCESS);
    CHECK_IS(Mutex->Header.SignalState, (LONG)MINLONG);
    CAUGHT(Caught, Status = WaitFor(Mutex));
    CHECK_IS(Caught, STATUS_MUTANT_LIMIT_EXCEEDED);
    CHECK_IS(Status, STATUS_UNSUCCESSFUL);
    CHECK_IS(Mutex->Header.SignalState, (LONG)MINLONG);
    CHECK_IRQL(PASSIVE_LEVEL);
    CHECK_IS(Release(Mutex), (LONG)MINLONG);
    CHECK_IS(Mutex->Header.SignalState, (LONG)MINLONG + 1);
    Mutex->Header.SignalState = 0;
    CHECK_IS(Release(Mutex), 0);
    MutexIs(Mutex, 0, ApcDisable);
    CAUGHT(Caught, Release(Mutex));
    CHECK_IS(Caught, STATUS_MUTANT_NOT_OWNED);
    MutexIs(Mutex, 0, ApcDisable);
}

TEST(a_mutex_holds_normal_apcs_off_once)
{
    KMUTEX Mutex;

    for (ULONG Level = 0; Level <= 123; Level += 123) {
        RtlFillMemory(&Mutex, sizeof(Mutex), 0x55);
        KeInitializeMutex(&Mutex, Level);
        CHECK_IS(Mutex.MutantListEntry.Flink, UNTOUCHED);
        CHECK_IS(Mutex.MutantListEntry.Blink, UNTOUCHED);
        MutexIs(&Mutex, 0, TRUE);
    }
    Recursion(&Mutex, TRUE);
}

TEST(a_mutant_holds_no_apcs_off)
{
    KMUTEX Mutant;

    RtlFillMemory(&Mutant, sizeof(Mutant), 0x55);
    KeInitializeMutant(&Mutant, FALSE);
    CHECK_IS(Mutant.MutantListEntry.Flink, UNTOUCHED);
    MutexIs(&Mutant, 0, FALSE);
    RtlFillMemory(&Mutant, sizeof(Mutant), 0x55);
    KeInitializeMutant(&Mutant, TRUE);
    MutexIs(&Mutant, 1, FALSE);
    CHECK(Mutant.MutantListEntry.Flink == Mutant.MutantListEntry.Blink); /* the thread's list, of this one alone */
    CHECK_IS(KeReleaseMutant(&Mutant, 1, FALSE, FALSE), 0);
    MutexIs(&Mutant, 0, FALSE);
    Recursion(&Mutant, FALSE);
}

CHECK_DRIVER(T(an_event_at_each_level), T(a_timer_at_each_level), T(a_dpc), T(a_mutex_holds_normal_apcs_off_once),
             T(a_mutant_holds_no_apcs_off))
