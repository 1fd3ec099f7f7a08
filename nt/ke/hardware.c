/*
 * What a driver asks of the processor and its board: caches, counters, bounds checks.
 *
 * Caches are coherent, also with devices, so flushing and invalidating have nothing to do (docs: KeFlushIoBuffers: on x64 it
 * does nothing). There is no auxiliary counter beside the performance counter, which the routines for it say.
 */
#include "nt.h"

#undef KeFlushIoBuffers
VOID KeFlushIoBuffers(PMDL Mdl, BOOLEAN ReadOperation, BOOLEAN DmaOperation)
{
}

BOOLEAN KeInvalidateAllCaches(VOID)
{
    return TRUE;
}

VOID FASTCALL KeInvalidateRangeAllCaches(PVOID BaseAddress, ULONG Length)
{
}

/* docs: STATUS_NOT_SUPPORTED where the system has none. */
NTSTATUS KeQueryAuxiliaryCounterFrequency(PULONG64 AuxiliaryCounterFrequency)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS KeConvertAuxiliaryCounterToPerformanceCounter(ULONG64 AuxiliaryCounterValue, PULONG64 PerformanceCounterValue,
                                                       PULONG64 ConversionError)
{
    return STATUS_NOT_SUPPORTED;
}

NTSTATUS KeConvertPerformanceCounterToAuxiliaryCounter(ULONG64 PerformanceCounterValue, PULONG64 AuxiliaryCounterValue,
                                                       PULONG64 ConversionError)
{
    return STATUS_NOT_SUPPORTED;
}

/* Stacks are never written out to disk here; the thread remembers what was asked for. */
BOOLEAN KeSetKernelStackSwapEnable(BOOLEAN Enable)
{
    PKTHREAD Thread = KeGetCurrentThread();
    BOOLEAN Old = !Thread->StackPinned;

    Thread->StackPinned = !Enable;
    return Old;
}

/* ---- Bounds checks ------------------------------------------------------------------------------------------------------ */

/* For the exception of the BOUND instruction, which no 64-bit code has: a registered routine is never called. */
typedef struct _KI_BOUND {
    PBOUND_CALLBACK Routine;
} KI_BOUND, *PKI_BOUND;

PVOID KeRegisterBoundCallback(PBOUND_CALLBACK CallbackRoutine)
{
    PKI_BOUND Bound = ExpTryAllocate(sizeof(*Bound), 'nuBK');

    if (!Bound)
        return NULL;
    Bound->Routine = CallbackRoutine;
    VfTrack(Bound, sizeof(*Bound), VfCallbackObject, (PVOID)CallbackRoutine, VfCaptureStack());
    return Bound;
}

NTSTATUS KeDeregisterBoundCallback(PVOID Handle)
{
    if (!Handle || !VfIsTracked(Handle))
        return STATUS_INVALID_PARAMETER;
    VfUntrack(Handle, VfCallbackObject);
    ExpFree(Handle);
    return STATUS_SUCCESS;
}
