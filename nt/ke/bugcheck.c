/*
 * Bug checks: the callbacks, the blue screen, the end of the machine.
 *
 * A driver that calls KeBugCheckEx has found itself wrong; that is a finding like any other, with its code and parameters.
 * (docs: KeBugCheckEx, KeRegisterBugCheckCallback, KeRegisterBugCheckReasonCallback)
 */
#include "nt.h"

static LIST_ENTRY KiBugCheckCallbacks = {&KiBugCheckCallbacks, &KiBugCheckCallbacks};
static LIST_ENTRY KiReasonCallbacks = {&KiReasonCallbacks, &KiReasonCallbacks};
static BOOLEAN KiStopping;
ULONG_PTR KiBugCheckData[5];

/* What the routine of each reason is given (docs: KBUGCHECK_REASON_CALLBACK_ROUTINE and the structures it names). No dump is
 * written here: what a driver would add to one is told in the report, and the routines that are handed the pieces of a dump
 * (KbCallbackDumpIo) have nothing to be called for. */
#define KI_SECONDARY_BYTES 8192

static VOID KiAskSecondaryData(PKBUGCHECK_REASON_CALLBACK_RECORD Record)
{
    static UCHAR Buffer[KI_SECONDARY_BYTES];
    KBUGCHECK_SECONDARY_DUMP_DATA Data = {
        .InBuffer = Buffer, .InBufferLength = sizeof(Buffer), .MaximumAllowed = sizeof(Buffer)};
    Record->CallbackRoutine(Record->Reason, Record, &Data, sizeof(Data));
    if (Data.OutBuffer && Data.OutBufferLength)
        VfRemark("%s adds %u bytes to the dump", Record->Component ? (PCSTR)Record->Component : "a driver",
                 Data.OutBufferLength);
}

/* Adding and removing pages have the same structure; a routine with more ranges is called again. */
static VOID KiAskPages(PKBUGCHECK_REASON_CALLBACK_RECORD Record)
{
    KBUGCHECK_ADD_PAGES Pages = {.BugCheckCode = (ULONG)KiBugCheckData[0]};
    ULONG Ranges = 0;
    do {
        Pages.Flags = 0;
        Pages.Address = Pages.Count = 0;
        Record->CallbackRoutine(Record->Reason, Record, &Pages, sizeof(Pages));
        Ranges += Pages.Count != 0;
    } while ((Pages.Flags & KB_ADD_PAGES_FLAG_ADDITIONAL_RANGES_EXIST) && Ranges < 4096);
    if (Ranges)
        VfRemark("%s names %u ranges of pages for the dump", Record->Component ? (PCSTR)Record->Component : "a driver",
                 Ranges);
}

static VOID KiAskTriageData(PKBUGCHECK_REASON_CALLBACK_RECORD Record)
{
    KBUGCHECK_TRIAGE_DUMP_DATA Data = {.MaxVirtMemSize = 0x100000,
                                       .BugCheckCode = (ULONG)KiBugCheckData[0],
                                       .BugCheckParameter1 = KiBugCheckData[1],
                                       .BugCheckParameter2 = KiBugCheckData[2],
                                       .BugCheckParameter3 = KiBugCheckData[3],
                                       .BugCheckParameter4 = KiBugCheckData[4]};
    Record->CallbackRoutine(Record->Reason, Record, &Data, sizeof(Data));
    if (Data.DataArray)
        VfRemark("%s adds %u blocks to the triage dump", Record->Component ? (PCSTR)Record->Component : "a driver",
                 Data.DataArray->NumBlocksUsed);
}

static VOID KiRunReason(PKBUGCHECK_REASON_CALLBACK_RECORD Record)
{
    switch (Record->Reason) {
    case KbCallbackSecondaryDumpData:
        KiAskSecondaryData(Record);
        break;
    case KbCallbackAddPages:
    case KbCallbackRemovePages:
        KiAskPages(Record);
        break;
    case KbCallbackTriageDumpData:
        KiAskTriageData(Record);
        break;
    default:
        break;
    }
}

/* The last registered first; each once, also where one of them stops the machine again. */
static VOID KiRunBugCheckCallbacks(VOID)
{
    while (!IsListEmpty(&KiBugCheckCallbacks)) {
        PKBUGCHECK_CALLBACK_RECORD Record =
            CONTAINING_RECORD(RemoveHeadList(&KiBugCheckCallbacks), KBUGCHECK_CALLBACK_RECORD, Entry);
        Record->State = BufferStarted;
        Record->CallbackRoutine(Record->Buffer, Record->Length);
        Record->State = BufferFinished;
    }
    while (!IsListEmpty(&KiReasonCallbacks)) {
        PKBUGCHECK_REASON_CALLBACK_RECORD Record =
            CONTAINING_RECORD(RemoveHeadList(&KiReasonCallbacks), KBUGCHECK_REASON_CALLBACK_RECORD, Entry);
        Record->State = BufferStarted;
        KiRunReason(Record);
        Record->State = BufferFinished;
    }
}

DECLSPEC_NORETURN VOID KiBugCheck(ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4)
{
    if (!KiStopping) {
        KiStopping = TRUE;
        KiRaiseIrql(HIGH_LEVEL);
        KiBugCheckData[0] = Code;
        KiBugCheckData[1] = P1;
        KiBugCheckData[2] = P2;
        KiBugCheckData[3] = P3;
        KiBugCheckData[4] = P4;
        HalAcquireDisplay();
        KiRunBugCheckCallbacks();
    }
    VfRecordStop(Code, P1, P2, P3, P4);
    KiDoor->halt(DOOR_HALT_STOP, "bug check");
}

DECLSPEC_NORETURN VOID KiInternalError(PCSTR Format, ...)
{
    CHAR Text[256];
    va_list Arguments;

    va_start(Arguments, Format);
    RtlpFormatV(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    KiDoor->halt(DOOR_HALT_INTERNAL, Text);
}

/* ---- What drivers import ----------------------------------------------------------------------------------------- */

DECLSPEC_NORETURN VOID KeBugCheckEx(ULONG BugCheckCode, ULONG_PTR P1, ULONG_PTR P2, ULONG_PTR P3, ULONG_PTR P4)
{
    if (!KiStopping) {
        VfFinding("driver.bugcheck", BugCheckCode, P1, P2, P3, P4);
        VfSubject("KeBugCheckEx");
        VfText("the driver calls KeBugCheckEx");
        VfNoteCaller(NULL);
        VfCommit();
    }
    KiBugCheck(BugCheckCode, P1, P2, P3, P4);
}

DECLSPEC_NORETURN VOID KeBugCheck(ULONG BugCheckCode)
{
    KeBugCheckEx(BugCheckCode, 0, 0, 0, 0);
}

BOOLEAN KeRegisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD Record, PKBUGCHECK_CALLBACK_ROUTINE Routine, PVOID Buffer,
                                   ULONG Length, PUCHAR Component)
{
    if (Record->State != BufferEmpty)
        return FALSE;
    Record->CallbackRoutine = Routine;
    Record->Buffer = Buffer;
    Record->Length = Length;
    Record->Component = Component;
    Record->State = BufferInserted;
    InsertHeadList(&KiBugCheckCallbacks, &Record->Entry);
    VfTrack(Record, sizeof(*Record), VfCallbackObject, (PVOID)Routine, VfCaptureStack());
    return TRUE;
}

BOOLEAN KeDeregisterBugCheckCallback(PKBUGCHECK_CALLBACK_RECORD Record)
{
    if (Record->State != BufferInserted)
        return FALSE;
    RemoveEntryList(&Record->Entry);
    Record->State = BufferEmpty;
    VfUntrack(Record, VfCallbackObject);
    return TRUE;
}

BOOLEAN KeRegisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD Record,
                                         PKBUGCHECK_REASON_CALLBACK_ROUTINE Routine, KBUGCHECK_CALLBACK_REASON Reason,
                                         PUCHAR Component)
{
    if (Record->State != BufferEmpty)
        return FALSE;
    Record->CallbackRoutine = Routine;
    Record->Reason = Reason;
    Record->Component = Component;
    Record->State = BufferInserted;
    InsertHeadList(&KiReasonCallbacks, &Record->Entry);
    VfTrack(Record, sizeof(*Record), VfCallbackObject, (PVOID)Routine, VfCaptureStack());
    return TRUE;
}

BOOLEAN KeDeregisterBugCheckReasonCallback(PKBUGCHECK_REASON_CALLBACK_RECORD Record)
{
    if (Record->State != BufferInserted)
        return FALSE;
    RemoveEntryList(&Record->Entry);
    Record->State = BufferEmpty;
    VfUntrack(Record, VfCallbackObject);
    return TRUE;
}
