/*
 * What a conformance driver is made of. It is an ordinary WDM driver: its DriverEntry runs a table of tests, each named
 * after what must be true, prints every check that fails and a closing line, and returns STATUS_UNSUCCESSFUL if one
 * failed.
 *
 *     TEST(timer_is_signalled_when_due) { ... CHECK(KeReadStateTimer(&Timer)); ... }
 *     CHECK_DRIVER(timer_is_signalled_when_due, ...)
 *
 * Tests run one after the other in DriverEntry's thread at PASSIVE_LEVEL and must leave that level and nothing behind:
 * the level is checked after each, and the unload at the end of the run makes a finding of what was left. A test may be
 * written for any number of processors; those that only make sense with one or several say so by CHECK_PROCESSORS.
 *
 * Nothing here waits for real time. Durations are virtual and exact, so they are compared with ==, save where reading
 * the clock itself costs time (100 ns a read).
 */
#pragma once

#include <ntifs.h>
#include <ntddk.h>

#define US 10LL /* in 100 ns */
#define MS (1000 * US)
#define SEC (1000 * MS)

typedef void CHECK_ROUTINE(void);
typedef struct _CHECK_TEST {
    PCSTR Name;
    CHECK_ROUTINE *Run;
} CHECK_TEST;

static LONG CheckCount, CheckFailures;
static PCSTR CheckName;
static PDRIVER_OBJECT CheckDriver; /* for tests that need devices */

static __attribute__((noinline)) BOOLEAN CheckThat(BOOLEAN True, PCSTR File, int Line, PCSTR What)
{
    CheckCount++;
    if (!True) {
        CheckFailures++;
        DbgPrint("FAIL %s %s:%d %s\n", CheckName, File, Line, What);
    }
    return True;
}

static __attribute__((noinline)) BOOLEAN CheckEqual(LONGLONG Left, LONGLONG Right, PCSTR File, int Line, PCSTR What)
{
    CheckCount++;
    if (Left != Right) {
        CheckFailures++;
        DbgPrint("FAIL %s %s:%d %s: %I64d (0x%I64x), not %I64d (0x%I64x)\n", CheckName, File, Line, What, Left, Left,
                 Right, Right);
    }
    return Left == Right;
}

#define CHECK(Condition) CheckThat(!!(Condition), __FILE_NAME__, __LINE__, #Condition)
#define CHECK_IS(Value, Expected) CheckEqual((LONGLONG)(Value), (LONGLONG)(Expected), __FILE_NAME__, __LINE__, #Value)
#define CHECK_IRQL(Level) CheckEqual(KeGetCurrentIrql(), Level, __FILE_NAME__, __LINE__, "KeGetCurrentIrql()")

#define TEST(Name) static void Name(void)

/* DriverEntry's own work, apart from it so that the entry point is one line. */
static NTSTATUS CheckRun(PDRIVER_OBJECT Driver, const CHECK_TEST *Tests, ULONG Count)
{
#ifdef CHECK_ON_PROCESSOR_0 /* what a raised level or the interrupt flag holds off is its own processor's */
    KeSetSystemAffinityThread(1);
#endif
    for (ULONG i = 0; i < Count; i++) {
        CheckName = Tests[i].Name;
        Tests[i].Run();
        CHECK_IRQL(PASSIVE_LEVEL);
        CHECK(!KeAreApcsDisabled());
    }
    DbgPrint("%d checks, %d failed\n", CheckCount, CheckFailures);
    return CheckFailures ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;
}

static void CheckUnload(PDRIVER_OBJECT Driver)
{
}

#define CHECK_DRIVER(...)                                                                                              \
    static const CHECK_TEST CheckTests[] = {__VA_ARGS__};                                                              \
    NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)                                                  \
    {                                                                                                                  \
        Driver->DriverUnload = CheckUnload;                                                                            \
        CheckDriver = Driver;                                                                                          \
        return CheckRun(Driver, CheckTests, ARRAYSIZE(CheckTests));                                                    \
    }
#define T(Name)                                                                                                        \
    {                                                                                                                  \
#Name, Name                                                                                                    \
    }

/* ---- Small things many tests need -----------------------------------------------------------------------------------
 */

static inline LARGE_INTEGER In(LONGLONG Duration)
{
    LARGE_INTEGER Due = {.QuadPart = -Duration};
    return Due;
}

static inline void Sleep(LONGLONG Duration)
{
    LARGE_INTEGER Due = In(Duration);
    KeDelayExecutionThread(KernelMode, FALSE, &Due);
}

/* Virtual time since boot, read from the shared page: costs no time, calls nothing. */
static inline LONGLONG Now(void)
{
    return (LONGLONG)KeQueryInterruptTime();
}

static inline NTSTATUS WaitFor(PVOID Object)
{
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, NULL);
}

static inline NTSTATUS WaitUpTo(PVOID Object, LONGLONG Duration)
{
    LARGE_INTEGER Due = In(Duration);
    return KeWaitForSingleObject(Object, Executive, KernelMode, FALSE, &Due);
}

/* Would a wait for Object go on at once? Consumes the signal if so. */
static inline BOOLEAN Taken(PVOID Object)
{
    return WaitUpTo(Object, 0) == STATUS_SUCCESS;
}

/* A thread and its object; EndThread waits for it and gives both up. */
static __attribute__((unused)) PVOID StartThread(PKSTART_ROUTINE Routine, PVOID Context)
{
    HANDLE Handle;
    PVOID Thread = NULL;

    if (!NT_SUCCESS(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, NULL, Routine, Context)))
        return NULL;
    ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, NULL, KernelMode, &Thread, NULL);
    ZwClose(Handle);
    return Thread;
}

static inline void EndThread(PVOID Thread)
{
    WaitFor(Thread);
    ObDereferenceObject(Thread);
}
