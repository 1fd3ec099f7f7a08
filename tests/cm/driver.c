/* A driver's own keys, one-time initialisation, heaps, and the smaller routines of the runtime library as drivers see
 * them. */
#include "key.h"

NTSYSAPI ULONG NTAPI RtlNtStatusToDosError(NTSTATUS);

static VOID a_driver_opens_its_keys(VOID)
{
    HANDLE Key, Again;
    ULONG One = 1, Number = 0;
    OK(IoOpenDriverRegistryKey(Driver, 0, KEY_ALL_ACCESS, 0, &Key));
    OK(KeySet(Key, L"One", REG_DWORD, &One, 4));
    OK(KeyOpen(NULL, L"\\Registry\\Machine\\System\\CurrentControlSet\\Services\\driver\\Parameters", 0, &Again));
    OK(KeyNumber(Again, L"One", &Number));
    CHECK(Number == 1);
    OK(ZwClose(Again));
    OK(ZwClose(Key));
    OK(IoOpenDriverRegistryKey(Driver, 1, KEY_ALL_ACCESS, 0, &Key));
    OK(ZwClose(Key));
    STATUS(IoOpenDriverRegistryKey(Driver, 9, KEY_ALL_ACCESS, 0, &Key), STATUS_INVALID_PARAMETER);
    STATUS(IoOpenDriverRegistryKey(NULL, 0, KEY_ALL_ACCESS, 0, &Key), STATUS_INVALID_PARAMETER);
}

static ULONG Runs;

static ULONG NTAPI Initialise(PRTL_RUN_ONCE Once, PVOID Parameter, PVOID *Context)
{
    LARGE_INTEGER Second = {.QuadPart = -10000000};
    Runs++;
    KeDelayExecutionThread(KernelMode, FALSE, &Second); /* the others wait */
    *Context = (PVOID)((ULONG_PTR)Parameter & ~3ull);
    return Parameter != NULL;
}

static RTL_RUN_ONCE Once;
static LONG Late;

static VOID NTAPI Second(PVOID Context)
{
    PVOID Value = NULL;
    if (NT_SUCCESS(RtlRunOnceExecuteOnce(&Once, Initialise, &Once, &Value)) &&
        Value == (PVOID)((ULONG_PTR)&Once & ~3ull))
        InterlockedIncrement(&Late);
    PsTerminateSystemThread(STATUS_SUCCESS);
}

static VOID it_is_initialised_once(VOID)
{
    HANDLE Thread[2];
    PVOID Value = NULL;
    RtlRunOnceInitialize(&Once);
    STATUS(RtlRunOnceBeginInitialize(&Once, RTL_RUN_ONCE_CHECK_ONLY, &Value), STATUS_UNSUCCESSFUL);
    STATUS(RtlRunOnceExecuteOnce(&Once, Initialise, NULL, &Value), STATUS_UNSUCCESSFUL);
    for (ULONG i = 0; i < 2; i++)
        OK(PsCreateSystemThread(&Thread[i], THREAD_ALL_ACCESS, NULL, NULL, NULL, Second, NULL));
    OK(RtlRunOnceExecuteOnce(&Once, Initialise, &Once, &Value));
    for (ULONG i = 0; i < 2; i++) {
        OK(ZwWaitForSingleObject(Thread[i], FALSE, NULL));
        OK(ZwClose(Thread[i]));
    }
    CHECK(Runs == 2 && Late == 2); /* once in vain, once for all */
    OK(RtlRunOnceBeginInitialize(&Once, RTL_RUN_ONCE_CHECK_ONLY, &Value));
    STATUS(RtlRunOnceComplete(&Once, 0, NULL), STATUS_OBJECT_NAME_COLLISION);
    RtlRunOnceInitialize(&Once);
    STATUS(RtlRunOnceBeginInitialize(&Once, RTL_RUN_ONCE_ASYNC, &Value), STATUS_PENDING);
    STATUS(RtlRunOnceBeginInitialize(&Once, RTL_RUN_ONCE_ASYNC, &Value), STATUS_PENDING);
    STATUS(RtlRunOnceComplete(&Once, RTL_RUN_ONCE_ASYNC, (PVOID)3), STATUS_INVALID_PARAMETER_3);
    OK(RtlRunOnceComplete(&Once, RTL_RUN_ONCE_ASYNC, (PVOID)8));
    OK(RtlRunOnceBeginInitialize(&Once, 0, &Value));
    CHECK(Value == (PVOID)8);
}

static VOID a_heap_goes_as_a_whole(VOID)
{
    PVOID Heap = RtlCreateHeap(0, NULL, 0, 0, NULL, NULL), Block, Other;
    CHECK(Heap != NULL);
    Block = RtlAllocateHeap(Heap, HEAP_ZERO_MEMORY, 100);
    Other = RtlAllocateHeap(Heap, 0, 0);
    CHECK(Block && Other && ((PUCHAR)Block)[99] == 0);
    CHECK(RtlFreeHeap(Heap, 0, Other));
    CHECK(RtlDestroyHeap(Heap) == NULL);
}

static VOID statuses_have_error_codes(VOID)
{
    CHECK(RtlNtStatusToDosError(STATUS_ACCESS_DENIED) == 5 && RtlNtStatusToDosError(STATUS_SUCCESS) == 0);
    CHECK(RtlNtStatusToDosError((NTSTATUS)0xC0070057) == 0x57 && RtlNtStatusToDosError((NTSTATUS)0xC0ffffff) == 317);
    CHECK(RtlNtStatusToDosError((NTSTATUS)0xE0001234) == 0xE0001234);
}

TEST_MAIN(a_driver_opens_its_keys, it_is_initialised_once, a_heap_goes_as_a_whole, statuses_have_error_codes)
