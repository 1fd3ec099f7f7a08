/*
 * IRQL: raising, lowering, and what a lower level lets through.
 *
 * The level is one byte of the processor area, so a raise is a store. Three things hang on it: pageable memory is closed
 * when the level reaches DISPATCH_LEVEL (mm), what waits for a lower level is delivered when it falls, and where a
 * driver raised it is noted for reports.
 *
 * Drivers reach this in three ways: the exported routines, `mov cr8` patched at load (KiPatchedWriteCr8 in entry.S), and
 * `mov cr8` trapped. A `mov cr8` says only the new level, so misuse (raising downward, lowering upward) is recognised for the
 * exported routines alone. (docs: KeRaiseIrql, KeLowerIrql)
 */
#include "nt.h"

void KiWriteCr8(unsigned long long Irql)
{
    if (Irql > KiReadCr8())
        KiRaiseIrql((KIRQL)Irql);
    else
        KiLowerIrql((KIRQL)Irql);
}

/* DISPATCH_LEVEL's own interrupt: DPCs, then the thread switch that became due. */
static VOID KiDispatchInterrupt(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    Processor->RaisedTime = 0; /* the level was below DISPATCH_LEVEL just now */
    KiRetireDpcs();
    if (!IsListEmpty(&Processor->ThreadedDpcList))
        KiWakeDpcThread(Processor);
    if (Processor->QuantumEnd) {
        Processor->QuantumEnd = FALSE;
        KiQuantumEnd();
    }
    if (Processor->NextThread)
        KiPreempt();
}

/* Who answers an interrupt of a level. */
static VOID (*const KiSources[])(VOID) = {
    [APC_LEVEL] = KiDeliverApcs,
    [DISPATCH_LEVEL] = KiDispatchInterrupt,
    [KI_CLOCK_LEVEL] = KiClockInterrupt,
    [KI_IPI_LEVEL] = KiIpiInterrupt,
    [HIGH_LEVEL] = KiProfileInterrupt,
    [KI_SOURCE_NMI] = KiNmiInterrupt,
    [KI_SOURCE_MACHINE_CHECK] = KiMachineCheck,
};

/* The highest source that may come in now, 0 = none. */
static ULONG KiNextSource(PKI_PROCESSOR Processor)
{
    ULONG Waiting = Processor->PendingLevels & ~((2u << Processor->Irql) - 1);

    if (!Processor->InterruptFlag)
        Waiting &= KI_UNMASKABLE;
    if (Processor->InUnmaskable)
        Waiting &= ~KI_UNMASKABLE;
    return Waiting ? 31 - __builtin_clz(Waiting) : 0;
}

VOID KiDispatchPending(VOID)
{
    for (;;) {
        PKI_PROCESSOR Processor = KiProcessor();
        KIRQL OldIrql = Processor->Irql;
        ULONG Source;

        if (!(Processor->PendingLevels >> (OldIrql + 1)) || !(Source = KiNextSource(Processor)))
            return;
        Processor->PendingLevels &= ~(1u << Source);
        KiSetIrql(Processor, (KIRQL)(Source > HIGH_LEVEL ? HIGH_LEVEL : Source));
        if (KiSources[Source])
            KiSources[Source]();
        else if (!HalDispatchInterrupt((KIRQL)Source))
            KiInternalError("no source for an interrupt of level %u", Source);
        KiProcessor()->Irql = OldIrql; /* perhaps another processor by now */
    }
}

VOID KiRequestInterrupt(PKI_PROCESSOR Processor, ULONG Level)
{
    Processor->PendingLevels |= 1u << Level;
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

static VOID KiReportBadChange(PCSTR Routine, PCSTR Rule, ULONG SubCode, KIRQL Old, KIRQL New)
{
    VfFinding(Rule, 0xC4, SubCode, Old, New, 0);
    VfSubject(Routine);
    VfText("%s to %s at %s", Routine, VfLevelName(New), VfLevelName(Old));
    VfNoteCaller(NULL);
    VfNoteLevel();
    VfCommit();
}

static KIRQL KiRaiseByDriver(PCSTR Routine, KIRQL NewIrql, PVOID Site)
{
    PKI_PROCESSOR Processor = KiProcessor();
    KIRQL OldIrql = Processor->Irql;

    if (NewIrql < OldIrql || NewIrql > HIGH_LEVEL) {
        KiReportBadChange(Routine, "irql.raise-down", 0x30, OldIrql, NewIrql);
        NewIrql &= HIGH_LEVEL;
        KiWriteCr8(NewIrql); /* a free build sets what it was told */
        return OldIrql;
    }
    KiSetIrql(Processor, NewIrql);
    if (NewIrql > OldIrql)
        KiNoteRaise(OldIrql, NewIrql, KiCauseRaise, Site, NULL);
    return OldIrql;
}

KIRQL KiExportKfRaiseIrql(KIRQL NewIrql)
{
    return KiRaiseByDriver("KeRaiseIrql", NewIrql, __builtin_return_address(0));
}

KIRQL KiExportKeRaiseIrqlToDpcLevel(VOID)
{
    return KiRaiseByDriver("KeRaiseIrqlToDpcLevel", DISPATCH_LEVEL, __builtin_return_address(0));
}

KIRQL KiExportKeRaiseIrqlToSynchLevel(VOID)
{
    return KiRaiseByDriver("KeRaiseIrqlToSynchLevel", KI_SYNCH_LEVEL, __builtin_return_address(0));
}

VOID KiExportKeLowerIrql(KIRQL NewIrql)
{
    KIRQL OldIrql = KiReadCr8();

    if (NewIrql > OldIrql) {
        KiReportBadChange("KeLowerIrql", "irql.lower-up", 0x31, OldIrql, NewIrql);
        KiRaiseIrql(NewIrql & HIGH_LEVEL);
        return;
    }
    KiLowerIrql(NewIrql);
}

KIRQL KiExportKeGetCurrentIrql(VOID)
{
    return KiReadCr8();
}

VOID KiSetCr8(UINT64 Level, UINT64 Site, const CONTEXT *Context)
{
    KIRQL OldIrql = KiProcessor()->Irql;

    if (Level > HIGH_LEVEL) {
        VfFinding("irql.bad-level", 0xC4, 0x30, OldIrql, Level, 0);
        VfText("CR8 is set to %llu, which is no IRQL", Level);
        VfNoteCaller(Context);
        VfCommit();
    } else if (Level > OldIrql) {
        KiRaiseIrql((KIRQL)Level);
        KiNoteRaise(OldIrql, (KIRQL)Level, KiCauseRaise, (PVOID)Site, NULL);
    } else {
        KiLowerIrql((KIRQL)Level);
    }
}

/* From entry.S: `mov cr8`, `sti`, `pause` of patched driver code. Site is a return address into the patch's stub. */
VOID KiPatchedInstruction(ULONG Which, UINT64 Argument, UINT64 Site, UINT64 StackPointer)
{
    switch (Which) {
    case 0:
        KiSetCr8(Argument, Site, NULL);
        break;
    case 1:
        KiProcessor()->InterruptFlag = 1;
        KiDispatchPending();
        break;
    default:
        KiDeliver();
        break;
    }
}
