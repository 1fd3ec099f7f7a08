/*
 * The interrupt controller: lines and messages become requests for a level of a processor, and the level's interrupt
 * calls the routines connected to its vector.
 *
 * A level-sensitive line that is still asserted when its routines have run interrupts again at once. A latched one
 * counts its rising edges only. Shared: level-sensitive routines are called until one claims the interrupt, latched
 * ones until a whole round claims nothing, because their edges may have come together. (docs: KSERVICE_ROUTINE,
 * "Servicing Shared Interrupts")
 *
 * A line that never falls keeps its processor for ever: after HALP_STORM calls in a row that is a finding, with the bug
 * check Windows has for it (HARDWARE_INTERRUPT_STORM).
 *
 * DIFFERS: the trigger mode is the one the driver connects with; there is no ACPI table to disagree with it. Each
 * vector goes to one processor, the lowest of the mask. Service routines run on the stack they interrupt.
 */
#include "nt.h"

#define HALP_STORM 500
#define HALP_ROUNDS 16 /* of a latched chain */

typedef struct _HALP_VECTOR {
    LIST_ENTRY Interrupts; /* empty, or at least one is connected */
    UCHAR Line;
    BOOLEAN Reserved; /* for messages */
    BOOLEAN Kept;     /* for those of a function's resources */
    BOOLEAN Pending;  /* asked for and not yet begun */
    BOOLEAN InService;
    BOOLEAN Masked; /* a storm was reported */
    KINTERRUPT_MODE Mode;
    ULONG Processor;
    ULONG Streak; /* calls in a row after which the line was still asserted */
} HALP_VECTOR, *PHALP_VECTOR;

static HALP_VECTOR HalpVectors[256];
static BOOLEAN HalpReady;
static ULONG HalpLines;

ULONG HalpVectorOfLine(ULONG Line)
{
    if (Line >= DOOR_LINES)
        return 0;
    return (HALP_LAST_LEVEL - Line * (HALP_LAST_LEVEL - HALP_FIRST_LEVEL + 1) / DOOR_LINES) << 4 | (Line & 15);
}

static VOID HalpInitializeVectors(VOID)
{
    if (HalpReady)
        return;
    for (ULONG i = 0; i < RTL_NUMBER_OF(HalpVectors); i++) {
        InitializeListHead(&HalpVectors[i].Interrupts);
        HalpVectors[i].Line = HALP_NO_LINE;
    }
    for (ULONG Line = 0; Line < DOOR_LINES; Line++)
        HalpVectors[HalpVectorOfLine(Line)].Line = (UCHAR)Line;
    HalpReady = TRUE;
}

ULONG HalpLineOfVector(ULONG Vector)
{
    HalpInitializeVectors();
    return Vector < RTL_NUMBER_OF(HalpVectors) ? HalpVectors[Vector].Line : HALP_NO_LINE;
}

ULONG HalpAllocateVectors(KIRQL Level, ULONG Count, BOOLEAN Keep)
{
    HalpInitializeVectors();
    for (ULONG First = (ULONG)Level << 4; First < ((ULONG)Level + 1) << 4; First += Count) {
        ULONG i = 0;
        while (i < Count && HalpVectors[First + i].Line == HALP_NO_LINE && !HalpVectors[First + i].Reserved)
            i++;
        if (i < Count)
            continue;
        while (i--) {
            HalpVectors[First + i].Reserved = TRUE;
            HalpVectors[First + i].Kept = Keep;
        }
        return First;
    }
    return 0;
}

/* ---- From the devices -------------------------------------------------------------------------------------------- */

static PKINTERRUPT HalpFirstOf(PHALP_VECTOR Vector)
{
    return CONTAINING_RECORD(Vector->Interrupts.Flink, struct _KINTERRUPT, Entry);
}

static BOOLEAN HalpAnyActive(PHALP_VECTOR Vector)
{
    for (PLIST_ENTRY Entry = Vector->Interrupts.Flink; Entry != &Vector->Interrupts; Entry = Entry->Flink)
        if (CONTAINING_RECORD(Entry, struct _KINTERRUPT, Entry)->Active)
            return TRUE;
    return FALSE;
}

static VOID HalpRequest(PHALP_VECTOR Vector)
{
    ULONG Number = (ULONG)(Vector - HalpVectors);

    if (Vector->Pending || Vector->Masked || !HalpAnyActive(Vector))
        return;
    Vector->Pending = TRUE;
    if (HalpFirstOf(Vector)->Passive)
        HalpWakePassive(HalpFirstOf(Vector));
    else
        KiRequestInterrupt(KiProcessorBlock(Vector->Processor), (KIRQL)(Number >> 4));
}

static VOID HalpSampleLine(PHALP_VECTOR Vector)
{
    if (Vector->Mode == LevelSensitive && !Vector->InService && (HalpLines >> Vector->Line & 1))
        HalpRequest(Vector);
}

static VOID HalpTake(const struct door_interrupts *Interrupts)
{
    HalpLines = Interrupts->lines;
    for (ULONG Bits = Interrupts->lines | Interrupts->rose; Bits; Bits &= Bits - 1) {
        ULONG Line = (ULONG)__builtin_ctz(Bits);
        PHALP_VECTOR Vector = &HalpVectors[HalpVectorOfLine(Line)];
        if (Vector->Mode == Latched && (Interrupts->rose >> Line & 1))
            HalpRequest(Vector);
        else
            HalpSampleLine(Vector);
    }
    for (ULONG i = 0; i < Interrupts->messages; i++)
        HalpRequest(&HalpVectors[Interrupts->message[i] & 0xff]);
}

static VOID HalpRun(VOID)
{
    struct door_interrupts Interrupts;

    HalpInitializeVectors();
    KiDoor->device_run(&Interrupts);
    HalpTake(&Interrupts);
}

VOID HalRunDevices(UINT64 Time)
{
    UINT64 Due;

    while ((Due = KiDoor->device_due) <= Time) {
        if (Due > KiDoor->now)
            KiDoor->now = Due;
        HalpRun();
    }
}

/* ---- To the routines --------------------------------------------------------------------------------------------- */

BOOLEAN HalpCallService(PKINTERRUPT Interrupt)
{
    VF_CALLBACK Callback = {0};
    BOOLEAN Claimed;

    Callback.Contract = Interrupt->MessageRoutine ? "KMESSAGE_SERVICE_ROUTINE" : "KSERVICE_ROUTINE";
    Callback.What = "interrupt %o";
    Callback.StackText = "The interrupt was connected at:";
    Callback.Routine = Interrupt->MessageRoutine ? (PVOID)Interrupt->MessageRoutine : (PVOID)Interrupt->ServiceRoutine;
    Callback.Object = Interrupt;
    Callback.Stack = Interrupt->Stack;
    VfEnterCallback(&Callback);
    if (Interrupt->MessageRoutine)
        Claimed = Interrupt->MessageRoutine(Interrupt, Interrupt->ServiceContext, Interrupt->MessageId);
    else
        Claimed = Interrupt->ServiceRoutine(Interrupt, Interrupt->ServiceContext);
    VfLeaveCallback(&Callback);
    return Claimed;
}

/* At the level of the vector; the routine runs at its synchronisation level, holding its lock. */
static BOOLEAN HalpService(PKINTERRUPT Interrupt)
{
    KIRQL OldIrql = KiRaiseIrql(Interrupt->SynchronizeIrql);
    BOOLEAN Claimed;

    KeAcquireSpinLockAtDpcLevel(Interrupt->ActualLock);
    Claimed = HalpCallService(Interrupt);
    KeReleaseSpinLockFromDpcLevel(Interrupt->ActualLock);
    KiLowerIrql(OldIrql);
    return Claimed;
}

static BOOLEAN HalpRound(PHALP_VECTOR Vector)
{
    BOOLEAN Claimed = FALSE;

    for (PLIST_ENTRY Entry = Vector->Interrupts.Flink; Entry != &Vector->Interrupts; Entry = Entry->Flink) {
        PKINTERRUPT Interrupt = CONTAINING_RECORD(Entry, struct _KINTERRUPT, Entry);
        if (Interrupt->Active && HalpService(Interrupt)) {
            Claimed = TRUE;
            if (Vector->Mode == LevelSensitive)
                break;
        }
    }
    return Claimed;
}

static BOOLEAN HalpCallChain(PHALP_VECTOR Vector)
{
    BOOLEAN Claimed = HalpRound(Vector);

    if (Vector->Mode == Latched && Claimed && Vector->Interrupts.Flink->Flink != &Vector->Interrupts)
        for (ULONG i = 1; i < HALP_ROUNDS && HalpRound(Vector); i++)
            ;
    return Claimed;
}

static VOID HalpStorm(PHALP_VECTOR Vector, BOOLEAN Claimed)
{
    PKINTERRUPT First = HalpFirstOf(Vector);
    UINT64 Frame = (UINT64)First->ServiceRoutine + 1;
    BOOLEAN Chained = First->Entry.Flink != First->Entry.Blink;

    Vector->Masked = TRUE; /* should the run go on */
    VfFinding("interrupt.storm", 0xF2, (UINT64)First->ServiceRoutine, (UINT64)First->ServiceContext, (UINT64)First,
              Chained ? 2 : 1);
    VfSubject("KSERVICE_ROUTINE");
    if (Claimed)
        VfText("interrupt line %u stays asserted: its routine claims it, but does not make the device stop",
               Vector->Line);
    else
        VfText("interrupt line %u stays asserted and no routine claims it", Vector->Line);
    VfNote(DOOR_NOTE_CALLER, VfStackOf(&Frame, 1), First, "interrupt %o", "");
    VfNote(DOOR_NOTE_OBJECT, First->Stack, First, NULL, "The interrupt was connected at:");
    VfCommit();
}

/* The routines have run: what does the line say now? */
static VOID HalpEnd(PHALP_VECTOR Vector, BOOLEAN Claimed)
{
    HalpRun();
    Vector->InService = FALSE;
    if (IsListEmpty(&Vector->Interrupts) || Vector->Mode != LevelSensitive || Vector->Line == HALP_NO_LINE)
        return;
    if (!(HalpLines >> Vector->Line & 1)) {
        Vector->Streak = 0;
        return;
    }
    if (++Vector->Streak >= HALP_STORM) {
        Vector->Streak = 0;
        HalpStorm(Vector, Claimed);
    }
    HalpSampleLine(Vector);
}

/* The highest vector of Level that waits for this processor; *More: there are others. */
static PHALP_VECTOR HalpNext(KIRQL Level, BOOLEAN *More)
{
    PHALP_VECTOR Found = NULL;
    ULONG Number = KiProcessor()->Number;

    *More = FALSE;
    for (ULONG i = 16; i-- > 0;) {
        PHALP_VECTOR Vector = &HalpVectors[(ULONG)Level << 4 | i];
        if (!Vector->Pending || Vector->Processor != Number || HalpFirstOf(Vector)->Passive)
            continue;
        *More = Found != NULL;
        if (Found)
            break;
        Found = Vector;
    }
    return Found;
}

BOOLEAN HalDispatchInterrupt(KIRQL Level)
{
    PHALP_VECTOR Vector;
    BOOLEAN More;

    if (Level < HALP_FIRST_LEVEL || Level > HALP_LAST_LEVEL)
        return FALSE;
    Vector = HalpNext(Level, &More);
    if (More)
        KiRequestInterrupt(KiProcessor(), Level);
    if (!Vector)
        return TRUE; /* disconnected meanwhile */
    Vector->Pending = FALSE;
    Vector->InService = TRUE;
    HalpEnd(Vector, HalpCallChain(Vector));
    return TRUE;
}

VOID HalpEndOfPassive(PKINTERRUPT Interrupt)
{
    PHALP_VECTOR Vector = &HalpVectors[Interrupt->Vector];

    Vector->Pending = FALSE;
    HalpEnd(Vector, TRUE);
}

/* ---- Connecting -------------------------------------------------------------------------------------------------- */

NTSTATUS HalpConnect(PKINTERRUPT Interrupt, KAFFINITY Affinity)
{
    PHALP_VECTOR Vector = &HalpVectors[Interrupt->Vector & 0xff];

    HalpInitializeVectors();
    Affinity &= KeQueryActiveProcessors();
    if (Interrupt->Vector >= RTL_NUMBER_OF(HalpVectors) || !Affinity ||
        (Vector->Line == HALP_NO_LINE && !Vector->Reserved))
        return STATUS_INVALID_PARAMETER;
    if (Interrupt->Passive
            ? Interrupt->SynchronizeIrql != PASSIVE_LEVEL
            : Interrupt->Irql != Interrupt->Vector >> 4 || Interrupt->SynchronizeIrql < Interrupt->Irql ||
                  Interrupt->SynchronizeIrql > HIGH_LEVEL)
        return STATUS_INVALID_PARAMETER;
    if (IsListEmpty(&Vector->Interrupts)) {
        Vector->Mode = Interrupt->Mode;
        Vector->Processor = (ULONG)__builtin_ctzll(Affinity);
        Vector->Masked = Vector->Pending = FALSE;
        Vector->Streak = 0;
    } else if (!Interrupt->ShareVector || !HalpFirstOf(Vector)->ShareVector || Vector->Mode != Interrupt->Mode ||
               Interrupt->Passive || HalpFirstOf(Vector)->Passive) {
        return STATUS_INVALID_PARAMETER;
    }
    Interrupt->Processor = Vector->Processor;
    Interrupt->Active = TRUE;
    InsertTailList(&Vector->Interrupts, &Interrupt->Entry);
    VfTrack(Interrupt, sizeof(*Interrupt), VfInterrupt,
            Interrupt->MessageRoutine ? (PVOID)Interrupt->MessageRoutine : (PVOID)Interrupt->ServiceRoutine,
            Interrupt->Stack);
    HalpRun();
    HalpSampleLine(Vector);
    return STATUS_SUCCESS;
}

/* When this returns its routine runs on no processor: one processor at a time runs, and a routine that has begun is
 * found here only by another one, which lets it go on. */
VOID HalpDisconnect(PKINTERRUPT Interrupt)
{
    PHALP_VECTOR Vector = &HalpVectors[Interrupt->Vector];

    while (Vector->InService && !Interrupt->Passive)
        KiSpin(NULL);
    RemoveEntryList(&Interrupt->Entry);
    VfUntrack(Interrupt, VfInterrupt);
    if (IsListEmpty(&Vector->Interrupts)) {
        Vector->Pending = FALSE;
        Vector->Reserved = Vector->Kept;
    }
}

VOID HalpSetActive(PKINTERRUPT Interrupt, BOOLEAN Active)
{
    Interrupt->Active = Active;
    if (Active)
        HalpSampleLine(&HalpVectors[Interrupt->Vector]);
}
