/*
 * Processors as drivers ask for them: one group, numbers that are indices, and the floating point state, which every
 * switch keeps on x64. (docs: KeGetProcessorNumberFromIndex, KeSaveFloatingPointState, KeSaveExtendedProcessorState)
 */
#include "nt.h"

volatile CCHAR KeNumberProcessors;

ULONG KeGetProcessorIndexFromNumber(PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcNumber->Group || ProcNumber->Reserved || ProcNumber->Number >= KiDoor->processors)
        return INVALID_PROCESSOR_INDEX;
    return ProcNumber->Number;
}

NTSTATUS KeGetProcessorNumberFromIndex(ULONG ProcIndex, PPROCESSOR_NUMBER ProcNumber)
{
    if (ProcIndex >= KiDoor->processors)
        return STATUS_INVALID_PARAMETER;
    ProcNumber->Group = 0;
    ProcNumber->Number = (UCHAR)ProcIndex;
    ProcNumber->Reserved = 0;
    return STATUS_SUCCESS;
}

KAFFINITY KeQueryGroupAffinity(USHORT GroupNumber)
{
    return GroupNumber ? 0 : KeQueryActiveProcessors();
}

VOID KeSetSystemGroupAffinityThread(PGROUP_AFFINITY Affinity, PGROUP_AFFINITY PreviousAffinity)
{
    GROUP_AFFINITY New = *Affinity; /* both may be the same structure */

    if (PreviousAffinity)
        RtlZeroMemory(PreviousAffinity, sizeof(*PreviousAffinity));
    if (New.Group || !(New.Mask & KeQueryActiveProcessors()))
        return;
    New.Mask = KeSetSystemAffinityThreadEx(New.Mask);
    if (PreviousAffinity)
        PreviousAffinity->Mask = New.Mask;
}

VOID KeRevertToUserGroupAffinityThread(PGROUP_AFFINITY PreviousAffinity)
{
    KeRevertToUserAffinityThreadEx(PreviousAffinity->Mask);
}

ULONG KeGetRecommendedSharedDataAlignment(VOID)
{
    return 64;
}

NTSTATUS KiExportKeSaveFloatingPointState(PVOID FloatSave)
{
    return STATUS_SUCCESS;
}

NTSTATUS KiExportKeRestoreFloatingPointState(PVOID FloatSave)
{
    return STATUS_SUCCESS;
}

/* Run a routine with more stack than is left. DIFFERS: a stack has its 24 KiB and the room behind them that is the
 * kernel's own; the routine runs in that. */
NTSTATUS KeExpandKernelStackAndCalloutEx(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size, BOOLEAN Wait,
                                         PVOID Context)
{
    if (Size > MAXIMUM_EXPANSION_SIZE)
        return STATUS_INVALID_PARAMETER_3;
    if (Context)
        return STATUS_INVALID_PARAMETER_5;
    Callout(Parameter);
    return STATUS_SUCCESS;
}

NTSTATUS KeExpandKernelStackAndCallout(PEXPAND_STACK_CALLOUT Callout, PVOID Parameter, SIZE_T Size)
{
    return KeExpandKernelStackAndCalloutEx(Callout, Parameter, Size, TRUE, NULL);
}
