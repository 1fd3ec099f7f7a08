/*
 * Small parts of the executive: hard errors that nobody answers, UUIDs, the sizes of pool blocks, timers by handle. Built by clang.
 * (docs: IoRaiseInformationalHardError, IoSetThreadHardErrorMode, ExUuidCreate, ExQueryPoolBlockSize, ZwSetTimer)
 */
#include "check.h"

NTKERNELAPI NTSTATUS NTAPI ExRaiseHardError(NTSTATUS, ULONG, ULONG, PULONG_PTR, ULONG, PULONG);
NTKERNELAPI NTSTATUS NTAPI ExUuidCreate(GUID *);
NTKERNELAPI SIZE_T NTAPI ExQueryPoolBlockSize(PVOID, PBOOLEAN);

#define NONE 27
#define RETURN_TO_CALLER 0
#define YES_NO_CANCEL 5 /* options */
#define TAG 'csiM'

static NTSTATUS Caught;
static ULONG Response;

static NTSTATUS Raise(NTSTATUS Error, ULONG Count, ULONG Mask, ULONG_PTR Parameter, ULONG Options)
{
    volatile NTSTATUS Status = STATUS_UNSUCCESSFUL;

    Response = NONE;
    Caught = STATUS_SUCCESS;
    __try {
        Status = ExRaiseHardError(Error, Count, Mask, &Parameter, Options, &Response);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        Caught = GetExceptionCode();
    }
    return Status;
}

TEST(questions_that_nobody_knows_go_back_to_the_caller)
{
    static const ULONG Options[] = {9, 10, 11, 12, 0x80000000, 0xffffffff};

    for (ULONG i = 0; i < ARRAYSIZE(Options); i++) {
        CHECK_IS(Raise(0x40000009, 0, 0, 0, Options[i]), STATUS_SUCCESS);
        CHECK_IS(Response, RETURN_TO_CALLER);
    }
}

TEST(a_thread_may_have_no_hard_errors)
{
    UNICODE_STRING Text = RTL_CONSTANT_STRING(L"text");

    CHECK(!IoRaiseInformationalHardError(STATUS_SERVICE_NOTIFICATION, &Text, NULL));
    CHECK(IoRaiseInformationalHardError(STATUS_DLL_NOT_FOUND, &Text, NULL));
    CHECK(IoSetThreadHardErrorMode(TRUE));
    CHECK(IoSetThreadHardErrorMode(FALSE));
    CHECK(!IoSetThreadHardErrorMode(FALSE));
    CHECK_IS(Raise(STATUS_FATAL_APP_EXIT, 0, 0, 0, YES_NO_CANCEL), STATUS_SUCCESS);
    CHECK_IS(Response, RETURN_TO_CALLER);
    CHECK(!IoRaiseInformationalHardError(STATUS_WAIT_0, NULL, NULL));
    CHECK(!IoRaiseInformationalHardError(STATUS_DLL_NOT_FOUND, &Text, NULL));
    CHECK(!IoRaiseInformationalHardError(STATUS_SERVICE_NOTIFICATION, &Text, NULL));
    CHECK(!IoSetThreadHardErrorMode(TRUE));
}

TEST(a_parameter_that_is_no_string_raises)
{
    for (int Asked = 0; Asked <= 1; Asked++) {
        IoSetThreadHardErrorMode((BOOLEAN)Asked);
        CHECK_IS(Raise(STATUS_FATAL_APP_EXIT, 1, 1, 0, YES_NO_CANCEL), STATUS_UNSUCCESSFUL);
        CHECK_IS(Caught, STATUS_ACCESS_VIOLATION);
        CHECK_IS(Response, NONE);
        CHECK_IS(Raise(STATUS_FATAL_APP_EXIT, 1, 0, 1234, YES_NO_CANCEL), STATUS_SUCCESS);
        CHECK_IS(Response, RETURN_TO_CALLER);
    }
}

/* Version 1: by time and node. */
TEST(uuids_differ_and_say_their_version)
{
    GUID One, Other;

    CHECK_IS(ExUuidCreate(&One), STATUS_SUCCESS);
    CHECK_IS(ExUuidCreate(&Other), STATUS_SUCCESS);
    CHECK_IS(One.Data3 & 0xf000, 0x1000);
    CHECK_IS(One.Data4[0] & 0xc0, 0x80);
    CHECK(RtlCompareMemory(&One, &Other, sizeof(One)) != sizeof(One));
}

static SIZE_T SizeOf(POOL_TYPE Type, SIZE_T Bytes)
{
    PUCHAR Block = ExAllocatePoolWithTag(Type, Bytes, TAG);
    BOOLEAN Quota = 2;
    SIZE_T Size;

    if (!CHECK(Block != NULL))
        return 0;
    CHECK(Bytes < PAGE_SIZE || (ULONG_PTR)Block % PAGE_SIZE == 0);
    Size = ExQueryPoolBlockSize(Block, &Quota);
    CHECK_IS(Quota, FALSE);
    RtlFillMemory(Block, Size, 0xab); /* it is all the driver's */
    ExFreePoolWithTag(Block, TAG);
    return Size;
}

TEST(a_block_is_at_least_as_large_as_asked_for)
{
    for (POOL_TYPE Type = NonPagedPool; Type <= PagedPool; Type++) {
        CHECK(SizeOf(Type, 8) >= 8);
        CHECK(SizeOf(Type, 100) >= 100);
        CHECK(SizeOf(Type, PAGE_SIZE - 24) >= PAGE_SIZE - 24);
        CHECK_IS(SizeOf(Type, PAGE_SIZE), PAGE_SIZE);
        CHECK_IS(SizeOf(Type, PAGE_SIZE + 1), 2 * PAGE_SIZE);
    }
}

/* ---- Timers by handle ---------------------------------------------------------------------------------------------- */

static ULONG ApcCount;

static VOID NTAPI TimerApc(PVOID Context, ULONG Low, LONG High)
{
    CHECK(Context == &ApcCount);
    CHECK_IRQL(PASSIVE_LEVEL);
    ApcCount++;
}

static void Set(HANDLE Timer, LONGLONG Due, BOOLEAN Apc, BOOLEAN Previous)
{
    LARGE_INTEGER Time = {.QuadPart = -Due};
    BOOLEAN State = !Previous;

    CHECK_IS(ZwSetTimer(Timer, &Time, Apc ? TimerApc : NULL, Apc ? &ApcCount : NULL, FALSE, 0, &State), STATUS_SUCCESS);
    CHECK_IS(State, Previous);
}

static void Cancel(HANDLE Timer, BOOLEAN Expected)
{
    BOOLEAN State = !Expected;

    CHECK_IS(ZwCancelTimer(Timer, &State), STATUS_SUCCESS);
    CHECK_IS(State, Expected);
}

TEST(a_named_timer_tells_its_state_and_calls_once)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\CheckTimer");
    HANDLE Timer, Same;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    CHECK_IS(ZwCreateTimer(&Timer, TIMER_ALL_ACCESS, &Attributes, NotificationTimer), STATUS_SUCCESS);
    CHECK_IS(ZwOpenTimer(&Same, TIMER_ALL_ACCESS, &Attributes), STATUS_SUCCESS);
    Set(Same, 4200 * SEC, FALSE, FALSE);
    Cancel(Same, FALSE);
    Set(Same, 1 * SEC, FALSE, FALSE);
    CHECK_IS(ZwWaitForSingleObject(Same, FALSE, NULL), STATUS_SUCCESS);
    Cancel(Timer, TRUE); /* it has expired, and a notification timer stays so */
    Set(Same, 4200 * SEC, TRUE, TRUE);
    Cancel(Same, FALSE);
    CHECK_IS(ApcCount, 0);
    Set(Same, 4200 * SEC, TRUE, FALSE);
    Set(Same, 1 * SEC, TRUE, FALSE); /* in place of the other */
    CHECK_IS(ZwWaitForSingleObject(Same, FALSE, NULL), STATUS_SUCCESS);
    Cancel(Same, TRUE);
    CHECK_IS(ApcCount, 1);
    CHECK_IS(ZwClose(Same), STATUS_SUCCESS);
    CHECK_IS(ZwClose(Timer), STATUS_SUCCESS);
}

CHECK_DRIVER(T(questions_that_nobody_knows_go_back_to_the_caller), T(a_thread_may_have_no_hard_errors),
             T(a_parameter_that_is_no_string_raises), T(uuids_differ_and_say_their_version),
             T(a_block_is_at_least_as_large_as_asked_for), T(a_named_timer_tells_its_state_and_calls_once))
