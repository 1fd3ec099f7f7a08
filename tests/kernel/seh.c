/* Exceptions in drivers: __try, __except, __finally, raised by hardware and by the kernel. Built by clang. */
#include "check.h"

/* What a zero divisor and a bad address raise must not be known at compile time. */
static volatile int Zero, Result;
static volatile int *volatile Bad = (volatile int *)0x10;

static NTSTATUS Code;
static int Filter(PEXCEPTION_POINTERS Pointers)
{
    Code = Pointers->ExceptionRecord->ExceptionCode;
    return EXCEPTION_EXECUTE_HANDLER;
}

static __attribute__((noinline)) int Divide(int By)
{
    return 10 / By;
}

static __attribute__((noinline)) int Read(volatile int *Address)
{
    return *Address;
}

TEST(a_bad_user_address_raises_an_access_violation)
{
    BOOLEAN Handled = FALSE;

    Code = 0;
    __try {
        Result = Read(Bad);
        CHECK(!"reached");
    } __except (Filter(GetExceptionInformation())) {
        Handled = TRUE;
    }
    CHECK(Handled);
    CHECK_IS(Code, STATUS_ACCESS_VIOLATION);
}

TEST(division_by_zero_raises)
{
    BOOLEAN Handled = FALSE;

    __try {
        Result = Divide(Zero);
    } __except (Filter(GetExceptionInformation())) {
        Handled = TRUE;
    }
    CHECK(Handled);
    CHECK_IS(Code, STATUS_INTEGER_DIVIDE_BY_ZERO);
}

static __attribute__((noinline)) void Raise(NTSTATUS Status)
{
    ExRaiseStatus(Status);
}

TEST(ex_raise_status_is_caught)
{
    NTSTATUS Caught = 0;

    __try {
        Raise(STATUS_NO_MEMORY);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_NO_MEMORY);
}

TEST(finally_runs_on_both_ways)
{
    volatile int Normal = 0, Abnormal = 0;

    __try {
        Normal = 1;
    } __finally {
        Normal += 10;
    }
    CHECK_IS(Normal, 11);
    __try {
        __try {
            Raise(STATUS_UNSUCCESSFUL);
        } __finally {
            Abnormal = 1;
        }
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Abnormal += 10;
    }
    CHECK_IS(Abnormal, 11);
}

TEST(a_filter_may_pass_it_on_to_the_outer_one)
{
    volatile int Inner = 0, Outer = 0;

    __try {
        __try {
            Raise(STATUS_INVALID_PARAMETER);
        } __except (EXCEPTION_CONTINUE_SEARCH) {
            Inner = 1;
        }
    } __except (Filter(GetExceptionInformation())) {
        Outer = 1;
    }
    CHECK_IS(Inner, 0);
    CHECK_IS(Outer, 1);
    CHECK_IS(Code, STATUS_INVALID_PARAMETER);
}

static __attribute__((noinline)) void Deep(int Levels)
{
    if (Levels)
        Deep(Levels - 1);
    else
        Raise(STATUS_TOO_LATE);
    Zero = 0; /* not a tail call */
}

TEST(exceptions_pass_many_frames)
{
    NTSTATUS Caught = 0;

    __try {
        Deep(20);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_TOO_LATE);
}

TEST(the_kernel_raises_for_misuse_of_its_objects)
{
    KMUTEX Mutex;
    KSEMAPHORE Semaphore;
    NTSTATUS Caught = 0;

    KeInitializeMutex(&Mutex, 0);
    __try {
        KeReleaseMutex(&Mutex, FALSE);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_MUTANT_NOT_OWNED);
    CHECK_IRQL(PASSIVE_LEVEL);
    KeInitializeSemaphore(&Semaphore, 1, 2);
    __try {
        KeReleaseSemaphore(&Semaphore, 0, 2, FALSE);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_SEMAPHORE_LIMIT_EXCEEDED);
    CHECK_IS(KeReadStateSemaphore(&Semaphore), 1);
    CHECK_IRQL(PASSIVE_LEVEL);
}

TEST(probes_refuse_kernel_addresses_and_bad_alignment)
{
    int Local;
    NTSTATUS Caught = 0;

    __try {
        ProbeForRead(&Local, sizeof(Local), 4);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_ACCESS_VIOLATION);
    Caught = 0;
    __try {
        ProbeForRead((PVOID)0x10001, 4, 4);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_DATATYPE_MISALIGNMENT);
}

/* clang's scopes cover calls, not single instructions. */
static __attribute__((noinline)) void Break(void)
{
    __debugbreak();
}

TEST(a_breakpoint_can_be_handled)
{
    NTSTATUS Caught = 0;

    __try {
        Break();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_BREAKPOINT);
    Caught = 0;
    __try {
        DbgBreakPoint();
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    CHECK_IS(Caught, STATUS_BREAKPOINT);
}

CHECK_DRIVER(T(a_bad_user_address_raises_an_access_violation), T(division_by_zero_raises), T(ex_raise_status_is_caught),
             T(finally_runs_on_both_ways), T(a_filter_may_pass_it_on_to_the_outer_one), T(exceptions_pass_many_frames),
             T(the_kernel_raises_for_misuse_of_its_objects), T(probes_refuse_kernel_addresses_and_bad_alignment),
             T(a_breakpoint_can_be_handled))
