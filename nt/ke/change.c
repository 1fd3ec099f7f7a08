/*
 * Processors that are added while the machine runs, and those who want to know. (docs: KeRegisterProcessorChangeCallback,
 * KE_PROCESSOR_CHANGE_NOTIFY_CONTEXT)
 *
 * Order: every callback is asked (KeProcessorAddStartNotify) and may refuse by a failure status; then either the processor
 * starts and all are told (KeProcessorAddCompleteNotify), or those that agreed are told that it did not
 * (KeProcessorAddFailureNotify). PASSIVE_LEVEL.
 *
 * DIFFERS: threads that were there before stay on the processors they had, unless they set their affinity.
 */
#include "nt.h"

typedef struct _KI_CHANGE_CALLBACK {
    LIST_ENTRY Entry;
    PPROCESSOR_CALLBACK_FUNCTION Routine;
    PVOID Context;
    ULONG Stack;
} KI_CHANGE_CALLBACK, *PKI_CHANGE_CALLBACK;

static LIST_ENTRY KiChangeCallbacks = {&KiChangeCallbacks, &KiChangeCallbacks};

static NTSTATUS KiCallChange(PKI_CHANGE_CALLBACK Entry, ULONG Number, KE_PROCESSOR_CHANGE_NOTIFY_STATE State,
                             NTSTATUS Status)
{
    KE_PROCESSOR_CHANGE_NOTIFY_CONTEXT Change = {
        .State = State, .NtNumber = Number, .Status = Status, .ProcNumber = {.Number = (UCHAR)Number}};
    NTSTATUS Operation = STATUS_SUCCESS;
    VF_CALLBACK Callback = {
        .Contract = "PROCESSOR_CALLBACK_FUNCTION",
        .What = "processor change callback",
        .Routine = (PVOID)Entry->Routine,
        .Object = (PVOID)Entry->Routine,
        .Stack = Entry->Stack,
        .StackText = "The callback was registered at:",
    };

    VfEnterCallback(&Callback);
    Entry->Routine(Entry->Context, &Change, &Operation);
    VfLeaveCallback(&Callback);
    return State == KeProcessorAddStartNotify ? Operation : STATUS_SUCCESS;
}

/* Tell all up to, but not, Last (NULL: all); stops at the first that refuses and says who. */
static NTSTATUS KiTellChange(ULONG Number, KE_PROCESSOR_CHANGE_NOTIFY_STATE State, NTSTATUS Status, PLIST_ENTRY Last,
                             PLIST_ENTRY *Refused)
{
    PLIST_ENTRY End = Last ? Last : &KiChangeCallbacks;

    for (PLIST_ENTRY Entry = KiChangeCallbacks.Flink; Entry != End; Entry = Entry->Flink) {
        NTSTATUS Answer = KiCallChange(CONTAINING_RECORD(Entry, KI_CHANGE_CALLBACK, Entry), Number, State, Status);
        if (!NT_SUCCESS(Answer)) {
            *Refused = Entry;
            return Answer;
        }
    }
    return STATUS_SUCCESS;
}

static BOOLEAN KiStartProcessor(ULONG Number)
{
    UINT64 Physical = MiAllocatePages(DOOR_PROCESSOR_BYTES / DOOR_PAGE);

    if (!Physical || KiDoor->map((UINT64)KiProcessorBlock(Number), Physical, DOOR_PROCESSOR_BYTES,
                                 DOOR_READ | DOOR_WRITE) != DOOR_OK)
        return FALSE;
    RtlZeroMemory(KiProcessorBlock(Number), DOOR_PROCESSOR_BYTES);
    KiInitializeArea(Number);
    KiInitializeProcessorDispatcher(Number);
    KiDoor->processors++;
    KeNumberProcessors++;
    KiStartDpcThread(KiProcessorBlock(Number));
    return TRUE;
}

NTSTATUS KiAddProcessor(VOID)
{
    ULONG Number = KiDoor->processors;
    PLIST_ENTRY Refused = NULL;
    NTSTATUS Status;

    if (Number == DOOR_PROCESSORS)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = KiTellChange(Number, KeProcessorAddStartNotify, STATUS_SUCCESS, NULL, &Refused);
    if (NT_SUCCESS(Status) && !KiStartProcessor(Number))
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(Status))
        KiTellChange(Number, KeProcessorAddCompleteNotify, Status, NULL, NULL);
    else
        KiTellChange(Number, KeProcessorAddFailureNotify, Status, Refused, NULL);
    return Status;
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

PVOID KeRegisterProcessorChangeCallback(PPROCESSOR_CALLBACK_FUNCTION CallbackFunction, PVOID CallbackContext,
                                        ULONG Flags)
{
    PKI_CHANGE_CALLBACK Entry;

    if (Flags & ~KE_PROCESSOR_CHANGE_ADD_EXISTING)
        return NULL;
    Entry = ExpTryAllocate(sizeof(*Entry), 'ahCK');
    if (!Entry)
        return NULL;
    Entry->Routine = CallbackFunction;
    Entry->Context = CallbackContext;
    Entry->Stack = VfCaptureStack();
    if (Flags & KE_PROCESSOR_CHANGE_ADD_EXISTING) {
        for (ULONG i = 0; i < KiDoor->processors; i++) {
            NTSTATUS Status = KiCallChange(Entry, i, KeProcessorAddStartNotify, STATUS_SUCCESS);
            if (!NT_SUCCESS(Status)) {
                for (ULONG j = 0; j < i; j++)
                    KiCallChange(Entry, j, KeProcessorAddFailureNotify, Status);
                ExpFree(Entry);
                return NULL;
            }
        }
        for (ULONG i = 0; i < KiDoor->processors; i++)
            KiCallChange(Entry, i, KeProcessorAddCompleteNotify, STATUS_SUCCESS);
    }
    InsertTailList(&KiChangeCallbacks, &Entry->Entry);
    VfTrack(Entry, sizeof(*Entry), VfCallbackObject, (PVOID)CallbackFunction, Entry->Stack);
    return Entry;
}

VOID KeDeregisterProcessorChangeCallback(PVOID CallbackHandle)
{
    PKI_CHANGE_CALLBACK Entry = CallbackHandle;

    RemoveEntryList(&Entry->Entry);
    VfUntrack(Entry, VfCallbackObject);
    ExpFree(Entry);
}
