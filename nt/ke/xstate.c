/*
 * Saving what is beyond the SSE registers (AVX and later), so that a driver's own code may use it. The legacy and SSE state is
 * the compiler's business on x64 and left alone. (docs: KeSaveExtendedProcessorState, "Using extended processor features in
 * Windows drivers": each save is undone in the same thread at the same level, innermost first)
 */
#include "nt.h"

#define KI_XSTATE_LEGACY 3 /* x87 and SSE */

static UINT64 KiEnabledFeatures(VOID)
{
    ULONG Low, High;

    __asm__ volatile("xgetbv" : "=a"(Low), "=d"(High) : "c"(0));
    return Low | (UINT64)High << 32;
}

NTSTATUS KeSaveExtendedProcessorState(ULONG64 Mask, PXSTATE_SAVE XStateSave)
{
    PXSAVE_AREA Area;

    Mask &= KiEnabledFeatures() & ~(UINT64)KI_XSTATE_LEGACY;
    RtlZeroMemory(XStateSave, sizeof(*XStateSave));
    XStateSave->Thread = KeGetCurrentThread();
    XStateSave->Level = KiReadCr8();
    if (!Mask)
        return STATUS_SUCCESS;
    XStateSave->XStateContext.Buffer = ExpTryAllocate(KiDoor->xstate_bytes + XSAVE_ALIGN, 'tsXK');
    if (!XStateSave->XStateContext.Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    Area = (PXSAVE_AREA)(((UINT64)XStateSave->XStateContext.Buffer + XSAVE_ALIGN - 1) & ~(UINT64)(XSAVE_ALIGN - 1));
    XStateSave->XStateContext.Mask = Mask;
    XStateSave->XStateContext.Length = KiDoor->xstate_bytes;
    XStateSave->XStateContext.Area = Area;
    __asm__ volatile("xsave64 (%0)" : : "r"(Area), "a"((ULONG)Mask), "d"((ULONG)(Mask >> 32)) : "memory");
    return STATUS_SUCCESS;
}

VOID KeRestoreExtendedProcessorState(PXSTATE_SAVE XStateSave)
{
    UINT64 Mask = XStateSave->XStateContext.Mask;

    if (!Mask)
        return;
    __asm__ volatile("xrstor64 (%0)"
                     :
                     : "r"(XStateSave->XStateContext.Area), "a"((ULONG)Mask), "d"((ULONG)(Mask >> 32))
                     : "memory");
    ExpFree(XStateSave->XStateContext.Buffer);
    XStateSave->XStateContext.Mask = 0;
}
