/*
 * What belongs to no larger family: queued spin locks by number, several entries of a queue at once, extended processor state,
 * crash dump headers and blocks, firmware, debugger, display. (docs: the routines' pages)
 */
#include "check.h"

KIRQL NTAPI KeAcquireQueuedSpinLockRaiseToSynch(KSPIN_LOCK_QUEUE_NUMBER Number);
BOOLEAN NTAPI HalMakeBeep(ULONG Frequency);
BOOLEAN NTAPI InbvCheckDisplayOwnership(VOID);
VOID NTAPI InbvNotifyDisplayOwnershipLost(PVOID Reset);
NTSTATUS NTAPI KdSystemDebugControl(ULONG Command, PVOID In, ULONG InBytes, PVOID Out, ULONG OutBytes, PULONG Returned,
                                    KPROCESSOR_MODE Mode);
extern __declspec(dllimport) ULONG InitSafeBootMode;

TEST(numbered_locks_raise_and_exclude)
{
    KIRQL Old = KeAcquireQueuedSpinLock(LockQueueVacbLock), Inner = 99;

    CHECK_IS(Old, PASSIVE_LEVEL);
    CHECK_IRQL(DISPATCH_LEVEL);
    CHECK(!KeTryToAcquireQueuedSpinLock(LockQueueVacbLock, &Inner));
    CHECK_IS(Inner, 99);
    CHECK(KeTryToAcquireQueuedSpinLock(LockQueueMasterLock, &Inner));
    CHECK_IS(Inner, DISPATCH_LEVEL);
    KeReleaseQueuedSpinLock(LockQueueMasterLock, Inner);
    KeReleaseQueuedSpinLock(LockQueueVacbLock, Old);
    CHECK_IRQL(PASSIVE_LEVEL);
    Old = KeAcquireQueuedSpinLockRaiseToSynch(LockQueueBcbLock);
    CHECK_IRQL(12);
    KeReleaseQueuedSpinLock(LockQueueBcbLock, Old);
}

TEST(several_entries_leave_a_queue_at_once)
{
    LARGE_INTEGER None = {.QuadPart = 0};
    LIST_ENTRY Entry[5], *Taken[4] = {NULL};
    KQUEUE Queue;

    KeInitializeQueue(&Queue, 0);
    CHECK_IS(KeRemoveQueueEx(&Queue, KernelMode, FALSE, &None, Taken, 4), 1);
    CHECK_IS((LONG_PTR)Taken[0], STATUS_TIMEOUT);
    for (ULONG i = 0; i < 5; i++)
        KeInsertQueue(&Queue, &Entry[i]);
    CHECK_IS(KeRemoveQueueEx(&Queue, KernelMode, FALSE, &None, Taken, 4), 4);
    for (ULONG i = 0; i < 4; i++)
        CHECK(Taken[i] == &Entry[i]);
    CHECK_IS(KeReadStateQueue(&Queue), 1);
    CHECK_IS(KeRemoveQueueEx(&Queue, KernelMode, FALSE, &None, Taken, 4), 1);
    CHECK(Taken[0] == &Entry[4]);
    CHECK_IS(KeReadStateQueue(&Queue), 0);
    KeRundownQueue(&Queue);
}

TEST(extended_state_is_saved_and_restored)
{
    XSTATE_SAVE Save;

    CHECK_IS(KeSaveExtendedProcessorState(4 /* AVX */, &Save), STATUS_SUCCESS);
    CHECK(Save.Thread == (PVOID)KeGetCurrentThread());
    KeRestoreExtendedProcessorState(&Save);
    CHECK_IS(KeSaveExtendedProcessorState(3, &Save), STATUS_SUCCESS); /* the compiler's business: nothing to save */
    KeRestoreExtendedProcessorState(&Save);
}

TEST(a_dump_header_describes_the_machine)
{
    ULONG Needed = 0, *Header;

    CHECK_IS(KeInitializeCrashDumpHeader(2, 0, NULL, 0, &Needed), STATUS_INVALID_PARAMETER_1);
    CHECK_IS(KeInitializeCrashDumpHeader(1, 1, NULL, 0, &Needed), STATUS_INVALID_PARAMETER_2);
    CHECK_IS(KeInitializeCrashDumpHeader(1, 0, NULL, 0, &Needed), STATUS_BUFFER_TOO_SMALL);
    CHECK_IS(Needed, 0x2000);
    Header = ExAllocatePoolWithTag(NonPagedPool, Needed, 'pmuD');
    if (!CHECK(Header))
        return;
    CHECK_IS(KeInitializeCrashDumpHeader(1, 0, Header, Needed, NULL), STATUS_SUCCESS);
    CHECK_IS(Header[0], 'EGAP');
    CHECK_IS(Header[1], '46UD');
    CHECK_IS(Header[0x30 / 4], 0x8664);
    CHECK_IS(Header[0x34 / 4], KeQueryActiveProcessorCount(NULL));
    CHECK_IS(Header[0x88 / 4], 1);
    CHECK_IS(Header[0xf98 / 4], 1);
    ExFreePoolWithTag(Header, 'pmuD');
}

TEST(dump_blocks_are_joined_until_the_array_is_full)
{
    static union {
        KTRIAGE_DUMP_DATA_ARRAY Array;
        UCHAR Room[FIELD_OFFSET(KTRIAGE_DUMP_DATA_ARRAY, Blocks) + 2 * sizeof(KADDRESS_RANGE)];
    } It;

    CHECK_IS(KeInitializeTriageDumpDataArray(&It.Array, 8), STATUS_INVALID_PARAMETER_2);
    CHECK_IS(KeInitializeTriageDumpDataArray(&It.Array, sizeof(It.Room)), STATUS_SUCCESS);
    CHECK_IS(It.Array.NumBlocksTotal, 2);
    CHECK_IS(KeAddTriageDumpDataBlock(&It.Array, (PVOID)0x1000, 0), STATUS_INVALID_PARAMETER);
    CHECK_IS(KeAddTriageDumpDataBlock(&It.Array, (PVOID)0x1000, 0x100), STATUS_SUCCESS);
    CHECK_IS(KeAddTriageDumpDataBlock(&It.Array, (PVOID)0x1080, 0x100), STATUS_SUCCESS);
    CHECK_IS(It.Array.NumBlocksUsed, 1);
    CHECK_IS(It.Array.DataSize, 0x180);
    CHECK_IS(KeAddTriageDumpDataBlock(&It.Array, (PVOID)0x8000, 0x10), STATUS_SUCCESS);
    CHECK_IS(KeAddTriageDumpDataBlock(&It.Array, (PVOID)0x9000, 0x10), STATUS_BUFFER_OVERFLOW);
    CHECK_IS(It.Array.NumBlocksUsed, 2);
}

static BOUND_CALLBACK_STATUS NTAPI OnBound(VOID)
{
    return BoundExceptionContinueSearch;
}

TEST(bounds_callbacks_are_registered_and_taken_back)
{
    PVOID Handle = KeRegisterBoundCallback(OnBound);

    CHECK(Handle);
    CHECK_IS(KeDeregisterBoundCallback(NULL), STATUS_INVALID_PARAMETER);
    CHECK_IS(KeDeregisterBoundCallback(Handle), STATUS_SUCCESS);
}

TEST(what_this_machine_has_not_is_said)
{
    GUID Guid = {0};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"BootOrder");
    ULONG Bytes = 8;
    ULONG64 Value = 0;
    CHAR Text[8] = "x";

    CHECK_IS(ExGetFirmwareType(), FirmwareTypeBios);
    CHECK_IS(ExGetFirmwareEnvironmentVariable(&Name, &Guid, &Value, &Bytes, NULL), STATUS_NOT_IMPLEMENTED);
    CHECK(!ExIsSoftBoot());
    CHECK_IS(InitSafeBootMode, 0);
    CHECK_IS(KeQueryAuxiliaryCounterFrequency(&Value), STATUS_NOT_SUPPORTED);
    CHECK_IS(KdChangeOption(KD_OPTION_SET_BLOCK_ENABLE, 0, NULL, 0, NULL, NULL), STATUS_DEBUGGER_INACTIVE);
    CHECK_IS(KdSystemDebugControl(0, NULL, 0, NULL, 0, NULL, KernelMode), STATUS_DEBUGGER_INACTIVE);
    CHECK_IS(DbgPrompt("who? ", Text, sizeof(Text)), 0);
}

TEST(the_display_is_taken_over_once)
{
    CHECK(InbvCheckDisplayOwnership());
    InbvNotifyDisplayOwnershipLost(NULL);
    CHECK(!InbvCheckDisplayOwnership());
}

TEST(the_speaker_takes_tones_it_can_make)
{
    CHECK(HalMakeBeep(440));
    CHECK(HalMakeBeep(0));
    CHECK(!HalMakeBeep(5));
}

TEST(stack_swapping_is_remembered)
{
    CHECK(KeSetKernelStackSwapEnable(FALSE));
    CHECK(!KeSetKernelStackSwapEnable(TRUE));
    CHECK(KeSetKernelStackSwapEnable(TRUE));
}

CHECK_DRIVER({"numbered_locks_raise_and_exclude", numbered_locks_raise_and_exclude},
             {"several_entries_leave_a_queue_at_once", several_entries_leave_a_queue_at_once},
             {"extended_state_is_saved_and_restored", extended_state_is_saved_and_restored},
             {"a_dump_header_describes_the_machine", a_dump_header_describes_the_machine},
             {"dump_blocks_are_joined_until_the_array_is_full", dump_blocks_are_joined_until_the_array_is_full},
             {"bounds_callbacks_are_registered_and_taken_back", bounds_callbacks_are_registered_and_taken_back},
             {"what_this_machine_has_not_is_said", what_this_machine_has_not_is_said},
             {"the_display_is_taken_over_once", the_display_is_taken_over_once},
             {"the_speaker_takes_tones_it_can_make", the_speaker_takes_tones_it_can_make},
             {"stack_swapping_is_remembered", stack_swapping_is_remembered})
