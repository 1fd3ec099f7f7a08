/*
 * HIGH_LEVEL: non-maskable interrupts and machine checks. Neither the IRQL nor cli holds them off; while one is handled no
 * other comes in. Both are fired by the operator.
 *
 * An NMI goes to the registered callbacks, the last registered first; when none of them says that it was its own, the
 * machine stops with NMI_HARDWARE_FAILURE. An uncorrected machine check is the end: WHEA_UNCORRECTABLE_ERROR.
 * DIFFERS: no error record is made, parameter 2 is 0. (docs: KeRegisterNmiCallback, bug checks 0x80 and 0x124)
 */
#include "nt.h"

typedef struct _KI_NMI_CALLBACK {
    struct _KI_NMI_CALLBACK *Next;
    PNMI_CALLBACK Routine;
    PVOID Context;
    ULONG Stack;
} KI_NMI_CALLBACK, *PKI_NMI_CALLBACK;

static PKI_NMI_CALLBACK KiNmiCallbacks;

static BOOLEAN KiCallNmi(PKI_NMI_CALLBACK Entry, BOOLEAN Handled)
{
    VF_CALLBACK Callback = {
        .Contract = "NMI_CALLBACK",
        .What = "NMI callback",
        .Routine = (PVOID)Entry->Routine,
        .Object = (PVOID)Entry->Routine,
        .Stack = Entry->Stack,
        .StackText = "The callback was registered at:",
    };
    BOOLEAN Mine;

    VfEnterCallback(&Callback);
    Mine = Entry->Routine(Entry->Context, Handled);
    VfLeaveCallback(&Callback);
    return Mine;
}

VOID KiNmiInterrupt(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();
    BOOLEAN Handled = FALSE;

    Processor->InUnmaskable = TRUE;
    for (PKI_NMI_CALLBACK Entry = KiNmiCallbacks; Entry; Entry = Entry->Next)
        if (KiCallNmi(Entry, Handled))
            Handled = TRUE;
    Processor->InUnmaskable = FALSE;
    if (!Handled) {
        VfFinding("machine.nmi", 0x80, 0x4f4454, 0, 0, 0);
        VfText("a non-maskable interrupt came, and no NMI callback says that it was its own");
        VfCommit();
    }
}

VOID KiMachineCheck(VOID)
{
    VfFinding("machine.check", 0x124, 0, 0, 0xb2000000, 0);
    VfText("the processor reports an error of the hardware that cannot be corrected");
    VfCommit();
    VfContinueIsImpossible();
}

/* ---- What the operator fires --------------------------------------------------------------------------------------- */

BOOLEAN KiFire(ULONG Number, ULONG Source)
{
    if (Number >= KiDoor->processors)
        return FALSE;
    KiRequestInterrupt(KiProcessorBlock(Number), Source);
    KiSwitchTo(KiProcessorBlock(Number)); /* it takes the interrupt where it goes on, and we where it hands over */
    KiDispatchPending();
    return TRUE;
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

PVOID KeRegisterNmiCallback(PNMI_CALLBACK CallbackRoutine, PVOID Context)
{
    PKI_NMI_CALLBACK Entry = ExpTryAllocate(sizeof(*Entry), 'imNK');

    if (!Entry)
        return NULL;
    Entry->Routine = CallbackRoutine;
    Entry->Context = Context;
    Entry->Stack = VfCaptureStack();
    Entry->Next = KiNmiCallbacks;
    KiNmiCallbacks = Entry;
    VfTrack(Entry, sizeof(*Entry), VfCallbackObject, (PVOID)CallbackRoutine, Entry->Stack);
    return Entry;
}

NTSTATUS KeDeregisterNmiCallback(PVOID Handle)
{
    for (PKI_NMI_CALLBACK *Link = &KiNmiCallbacks; *Link; Link = &(*Link)->Next) {
        PKI_NMI_CALLBACK Entry = *Link;
        if (Entry != Handle)
            continue;
        *Link = Entry->Next;
        VfUntrack(Entry, VfCallbackObject);
        ExpFree(Entry);
        return STATUS_SUCCESS;
    }
    return STATUS_INVALID_HANDLE;
}
