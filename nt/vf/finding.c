/*
 * Findings: composed in one place, recorded, and made a bug check unless the user asked to go on.
 */
#include "nt.h"

static struct door_finding VfNow;

VOID VfRecord(ULONG Type, const VOID *Payload, ULONG Bytes)
{
    PKI_PROCESSOR Processor = KiProcessor();
    struct door_event Event = {0};

    Event.payload = Bytes;
    Event.bytes = (sizeof(Event) + Bytes + 7) & ~7u;
    Event.type = (USHORT)Type;
    Event.processor = (UCHAR)Processor->Number;
    Event.irql = Processor->Irql;
    Event.thread = PspCurrentThreadNumber();
    Event.time = KiNow();
    KiDoor->record(&Event, Payload);
}

VOID VfFinding(PCSTR Rule, ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4)
{
    RtlZeroMemory(&VfNow, sizeof(VfNow));
    RtlpFormat(VfNow.rule, sizeof(VfNow.rule), "%s", Rule);
    VfNow.code = Code;
    VfNow.parameter[0] = P1;
    VfNow.parameter[1] = P2;
    VfNow.parameter[2] = P3;
    VfNow.parameter[3] = P4;
}

VOID VfSubject(PCSTR Subject)
{
    RtlpFormat(VfNow.subject, sizeof(VfNow.subject), "%s", Subject);
}

VOID VfText(PCSTR Format, ...)
{
    va_list Arguments;

    va_start(Arguments, Format);
    RtlpFormatV(VfNow.text, sizeof(VfNow.text), Format, Arguments);
    va_end(Arguments);
}

/* The host names objects by where they lie. Devices lie in the pool, and have better names. */
static VOID VfPutOrigin(struct door_note *Note, PVOID Object, PCSTR Origin)
{
    PCSTR Device = strstr(Origin, "device %o");
    CHAR Name[80];

    if (Device && IopDescribeDevice(Object, Name, sizeof(Name)))
        RtlpFormat(Note->origin, sizeof(Note->origin), "%.*s%s%s", (ULONG)(Device - Origin) + 7, Origin, Name,
                   Device + 9);
    else
        RtlpFormat(Note->origin, sizeof(Note->origin), "%s", Origin);
}

/* A stub calls the kernel for its instruction, so for the driver's innermost frame that is the place, not what comes behind. */
static VOID VfUnpatchFrames(struct door_note *Note)
{
    BOOLEAN Innermost = TRUE;
    UINT64 Unused = 0;

    for (ULONG i = 0; i < Note->frames; i++) {
        PMI_IMAGE Image = MmImageOf(Note->frame[i]);
        UINT64 Rip = Note->frame[i] - Innermost;
        if (!Image || !Image->Driver)
            continue;
        if (MmUnpatch(&Rip, &Unused))
            Note->frame[i] = Rip;
        Innermost = FALSE;
    }
}

static struct door_note *VfAddNote(ULONG Kind, ULONG Stack, PVOID Object, PCSTR Origin)
{
    struct door_note *Note = &VfNow.note[VfNow.notes < DOOR_NOTES ? VfNow.notes++ : DOOR_NOTES - 1];

    RtlZeroMemory(Note, sizeof(*Note));
    Note->kind = Kind;
    Note->frames = VfStackFrames(Stack, Note->frame);
    VfUnpatchFrames(Note);
    Note->object = (UINT64)Object;
    VfPutOrigin(Note, Object, Origin ? Origin : "");
    return Note;
}

VOID VfNote(ULONG Kind, ULONG Stack, PVOID Object, PCSTR Origin, PCSTR Text, ...)
{
    struct door_note *Note = VfAddNote(Kind, Stack, Object, Origin);
    va_list Arguments;

    va_start(Arguments, Text);
    RtlpFormatV(Note->text, sizeof(Note->text), Text, Arguments);
    va_end(Arguments);
}

/* Frames of ours between the driver and the finding say nothing to the user; nor does a stack without any driver. */
static VOID VfDropKernelFrames(struct door_note *Note)
{
    ULONG First = 0;

    while (First < Note->frames) {
        PMI_IMAGE Image = MmImageOf(Note->frame[First]);
        if (Image && Image->Driver)
            break;
        First++;
    }
    Note->frames -= First;
    memmove(Note->frame, Note->frame + First, Note->frames * sizeof(UINT64));
}

VOID VfDropKernel(VOID)
{
    VfDropKernelFrames(&VfNow.note[VfNow.notes - 1]);
}

PVF_CALLBACK VfCurrentCallback(VOID)
{
    PKI_PROCESSOR Processor = KiProcessor();

    return VfIntact(Processor->DpcRoutineActive ? Processor->Callback : Processor->CurrentThread->Callback);
}

/* The routine of the driver that the call before Return went to; 0 = to none: through the import table, or by a pointer. */
static UINT64 VfCalledWithin(UINT64 Return)
{
    PMI_IMAGE Image = MmImageOf(Return - 5);
    UINT64 Call = Image && Image->Driver ? MiPhysical((PVOID)(Return - 5)) : (UINT64)-1, Target, Code;

    if (Call == (UINT64)-1 || *(PUCHAR)MiLinear(Call) != 0xe8)
        return 0;
    Target = Return + *(const LONG *)((PUCHAR)MiLinear(Call) + 1);
    Code = MmImageOf(Target) == Image ? MiPhysical((PVOID)Target) : (UINT64)-1;
    /* The linker's own jump through the import table is part of the call. */
    return Code == (UINT64)-1 || *(const USHORT *)MiLinear(Code) == 0x25ff ? 0 : Target;
}

/*
 * The innermost return address is where the call that is complained about goes back to. If what was called there is a routine of
 * the driver, that routine has called us by its last instruction, a jump: it has left no frame, so it is named as a whole
 * rather than blaming the line that called it.
 */
static VOID VfNameTailCaller(struct door_note *Note)
{
    UINT64 Routine = Note->frames ? VfCalledWithin(Note->frame[0]) : 0;

    if (!Routine)
        return;
    if (Note->frames < DOOR_FRAMES)
        Note->frames++;
    memmove(Note->frame + 1, Note->frame, (Note->frames - 1) * sizeof(UINT64));
    Note->frame[0] = Routine + 1; /* frames are return addresses */
}

VOID VfNoteCaller(const CONTEXT *Context)
{
    PVF_CALLBACK Callback = VfCurrentCallback();
    ULONG Stack = Context ? VfCaptureStackFrom(Context) : VfCaptureStack();
    struct door_note *Note =
        VfAddNote(DOOR_NOTE_CALLER, Stack, Callback ? Callback->Object : NULL, Callback ? Callback->What : NULL);

    VfDropKernelFrames(Note);
    if (!Note->frames && Callback) { /* the routine's last call, made by a jump: its own frame is gone */
        Note->frame[0] = (UINT64)Callback->Routine + 1;
        Note->frames = 1;
    } else if (!Context) {
        VfNameTailCaller(Note);
    }
}

static PCSTR VfArticle(PCSTR Word)
{
    return strchr("AEIOUaeiou", Word[0]) ? "an" : "a";
}

VOID VfNoteCall(const CONTEXT *Context)
{
    VfNoteCaller(Context);
    VfNameTailCaller(&VfNow.note[VfNow.notes - 1]);
}

/* "KDEFERRED_ROUTINE" -> "DPC routine"; what users call the callbacks that raise the level. */
static PCSTR VfPlainName(PCSTR Contract)
{
    if (!strcmp(Contract, "KSERVICE_ROUTINE") || !strcmp(Contract, "KMESSAGE_SERVICE_ROUTINE"))
        return "interrupt service routine";
    return !strcmp(Contract, "KDEFERRED_ROUTINE") ? "DPC routine" : Contract;
}

VOID VfNoteLevel(VOID)
{
    static const PCSTR Raised[] = {"was raised", "was raised", "was raised by acquiring a spin lock",
                                   "was raised by acquiring a mutex"};
    PVF_CALLBACK Callback = VfCurrentCallback();
    KIRQL Irql = KiReadCr8();
    KI_RAISE *Raise = &KiProcessor()->Raise[Irql];
    struct door_note *Note;
    UINT64 Site;

    if (Irql == PASSIVE_LEVEL)
        return;
    if (Callback && Callback->Irql == Irql) {
        PCSTR Name = VfPlainName(Callback->Contract);
        VfNote(DOOR_NOTE_LEVEL, Callback->Stack, Callback->Object, NULL, "The level is %u because %s %s runs at %s. %s",
               Irql, VfArticle(Name), Name, VfLevelName(Irql), Callback->StackText ? Callback->StackText : "");
        return;
    }
    if (Raise->Cause == KiCauseNone)
        return;
    Site = Raise->Site;
    VfNote(DOOR_NOTE_LEVEL, VfStackOf(&Site, 1), Raise->Object, NULL, "The level is %u because it %s at:", Irql,
           Raised[Raise->Cause]);
    Note = &VfNow.note[VfNow.notes - 1];
    VfDropKernelFrames(Note);
}

VOID VfRecordStop(ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4)
{
    VfFinding("", Code, P1, P2, P3, P4);
    VfRecord(DOOR_EVENT_STOP, &VfNow, FIELD_OFFSET(struct door_finding, note));
}

DECLSPEC_NORETURN VOID VfContinueIsImpossible(VOID)
{
    KiBugCheck(VfNow.code, VfNow.parameter[0], VfNow.parameter[1], VfNow.parameter[2], VfNow.parameter[3]);
}

/* Equal for what is ignored at the same place for the same reason. */
static UINT64 VfKey(VOID)
{
    UINT64 Key = VfNow.code | 1;

    for (PCSTR Next = VfNow.rule; *Next; Next++)
        Key = Key * 31 + (UCHAR)*Next;
    for (PCSTR Next = VfNow.subject; *Next; Next++)
        Key = Key * 31 + (UCHAR)*Next;
    return VfNow.notes && VfNow.note[0].frames ? Key * 31 + VfNow.note[0].frame[0] : Key;
}

VOID VfCommit(VOID)
{
    ULONG Bytes = FIELD_OFFSET(struct door_finding, note) + VfNow.notes * sizeof(VfNow.note[0]);

    if (VfIsIgnored(VfNow.rule)) {
        if (!VfIsIgnoredBefore(VfKey()))
            VfRecord(DOOR_EVENT_IGNORED, &VfNow, Bytes);
        return;
    }
    VfRecord(DOOR_EVENT_FINDING, &VfNow, Bytes);
    if (KiDoor->stop_on_finding)
        VfContinueIsImpossible();
}

VOID VfRemark(PCSTR Format, ...)
{
    CHAR Text[256];
    va_list Arguments;
    ULONG Length;

    va_start(Arguments, Format);
    Length = RtlpFormatV(Text, sizeof(Text), Format, Arguments);
    va_end(Arguments);
    VfRecord(DOOR_EVENT_NOTE, Text, Length);
}

/* What Thread waits for, as it goes into "Thread 5 waits here for ...", and the object the user knows it by. */
static PVOID VfAwaited(PKTHREAD Thread, PCHAR Text, ULONG Bytes)
{
    static const PCSTR Names[] = {[EventNotificationObject] = "an event", [EventSynchronizationObject] = "an event",
                                  [ProcessObject] = "a process to end",   [QueueObject] = "an entry of a queue",
                                  [SemaphoreObject] = "a semaphore",      [GateObject] = "a gate",
                                  [TimerNotificationObject] = "a timer",  [TimerSynchronizationObject] = "a timer"};
    DISPATCHER_HEADER *Object = Thread->WaitCount ? Thread->WaitBlockList[0].Object : NULL;
    PKTHREAD Owner = NULL;
    PCSTR Name;

    if (!Object) {
        RtlpFormat(Text, Bytes, "time to pass");
    } else if (Thread->WaitReason == WrFastMutex || Thread->WaitReason == WrGuardedMutex) {
        Object = (PVOID)CONTAINING_RECORD(Object, FAST_MUTEX, Event);
        Owner = ((PFAST_MUTEX)Object)->Owner;
        Name = Thread->WaitReason == WrFastMutex ? "a fast mutex" : "a guarded mutex";
    } else if (Object->Type == MutantObject) {
        Owner = ((PKMUTANT)Object)->OwnerThread;
        Name = "a mutex";
    } else if (Object->Type == ThreadObject) {
        RtlpFormat(Text, Bytes, "thread %u to end", PspThreadNumber((PKTHREAD)Object));
    } else {
        Name = Thread->WaitReason == WrResource                             ? "a resource"
               : Thread->WaitReason == WrPushLock                           ? "a push lock"
               : Thread->WaitReason == WrRundown                            ? "run-down protection to be released"
               : Object->Type < RTL_NUMBER_OF(Names) && Names[Object->Type] ? Names[Object->Type]
                                                                            : "an object";
        RtlpFormat(Text, Bytes, "%s%s", Name, Thread->WaitCount > 1 ? " and others" : "");
    }
    if (Owner)
        RtlpFormat(Text, Bytes, "%s that thread %u holds", Name, PspThreadNumber(Owner));
    else if (Object && (Object->Type == MutantObject || Thread->WaitReason == WrFastMutex ||
                        Thread->WaitReason == WrGuardedMutex))
        RtlpFormat(Text, Bytes, "%s that nobody holds", Name);
    return Object && MmImageOf((UINT64)Object) ? Object : NULL;
}

/* Which threads wait, where, for what, and who holds that: for the machine that stands still. */
VOID VfNoteWaiters(VOID)
{
    for (PKTHREAD Thread = PspNextThread(NULL); Thread && VfNow.notes < DOOR_NOTES; Thread = PspNextThread(Thread)) {
        CONTEXT Context;
        CHAR What[64];
        PVOID Object;
        ULONG Stack, Kind = VfNow.notes ? DOOR_NOTE_OTHER : DOOR_NOTE_CALLER;

        if (Thread->State != KiWaiting || !VfIntact(Thread->Callback))
            continue;
        RtlZeroMemory(&Context, sizeof(Context));
        KiWaitingContext(Thread, &Context);
        Stack = VfCaptureStackFrom(&Context);
        Object = VfAwaited(Thread, What, sizeof(What));
        if (Object) /* it has a name */
            VfNote(Kind, Stack, Object, NULL, "Thread %u waits here for %s (%%o):", PspThreadNumber(Thread), What);
        else
            VfNote(Kind, Stack, Thread->Callback->Object, Thread->Callback->What,
                   "Thread %u waits here for %s:", PspThreadNumber(Thread), What);
        VfDropKernelFrames(&VfNow.note[VfNow.notes - 1]);
    }
}

/* The driver's routine that is being run; none while the machine is idle. */
VOID VfNoteRunning(VOID)
{
    struct door_note *Note;

    if (!VfCurrentCallback() || VfNow.notes == DOOR_NOTES)
        return;
    VfNoteCaller(NULL);
    Note = &VfNow.note[VfNow.notes - 1];
    if (VfNow.notes > 1)
        Note->kind = DOOR_NOTE_OTHER;
    RtlpFormat(Note->text, sizeof(Note->text), "%s", VfNow.notes > 1 ? "Meanwhile this runs:" : "This runs:");
}
