/*
 * What user threads do: the calls that come through door.user.
 *
 * A user thread is a thread of the kernel whose user mode is a wait for the next call. The call's copies are the
 * program's own accesses to its memory; a service is entered with PreviousMode = UserMode and with the arguments as the
 * program passed them. Services that know nothing of user memory get captured arguments: a row says for each argument
 * what it points to. (docs: "Using NtXxx and ZwXxx Versions of the Native System Services Routines", "Buffer handling")
 */
#include "nt.h"
#include "mm/space.h"

typedef struct _PSP_CALL {
    LIST_ENTRY Entry;
    ULONG Index;
    struct door_call Call; /* as it was posted */
} PSP_CALL, *PPSP_CALL;

KEVENT PspCallDone = {.Header = {.Type = EventSynchronizationObject,
                                 .Size = sizeof(KEVENT) / sizeof(ULONG),
                                 .WaitListHead = {&PspCallDone.Header.WaitListHead, &PspCallDone.Header.WaitListHead}}};
static ULONG PspDone;

/* ---- Services -------------------------------------------------------------------------------------------------------
 */

/*
 * One letter for each argument:
 *   .  a value, or an address that the service itself treats as user mode's
 *   8  8 bytes in and out     4  4 bytes out, may be NULL      i  an IO_STATUS_BLOCK, written when the service returns
 *   I  the same of a service that tells some errors there, too
 *   r  4 bytes out            P  TOKEN_PRIVILEGES in
 *   l  8 bytes in, may be NULL    k  4 bytes in, may be NULL   O  OBJECT_ATTRIBUTES    S  UNICODE_STRING, may be NULL
 *   p  8 bytes in and out, may be NULL    c  a CLIENT_ID in    f  FILE_NETWORK_OPEN_INFORMATION out
 *   b  a buffer that is filled, its length is the next argument   a  the same, the one before   n  one that is read
 *   B  as b, with pointers into itself
 *   H  as many handles as the argument before says
 */
typedef NTSTATUS(NTAPI *PSP_SERVICE)(UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64, UINT64,
                                     UINT64, UINT64);

/* Under names of our own, whatever the public headers declare. */
#define SERVICE_ROUTINE(Name) NTSTATUS NTAPI PspTo##Name(VOID) __asm__("Nt" #Name);
DOOR_SERVICES(SERVICE_ROUTINE)
#undef SERVICE_ROUTINE

static const struct {
    PVOID Routine;
    PCSTR Arguments;
} PspServices[DOOR_SERVICE_COUNT] = {
#define SERVICE(Name, Arguments) [DOOR_SERVICE_##Name] = {PspTo##Name, Arguments}
    SERVICE(Close, "."),
    SERVICE(CreateFile, "8.Oil....n."),
    SERVICE(OpenFile, "8.Oi.."),
    SERVICE(ReadFile, ".......lk"),
    SERVICE(WriteFile, ".......lk"),
    SERVICE(DeviceIoControlFile, ".........."),
    SERVICE(FsControlFile, ".........."),
    SERVICE(CancelIoFile, ".i"),
    SERVICE(CreateEvent, "8.O.."),
    SERVICE(OpenEvent, "8.O"),
    SERVICE(SetEvent, ".4"),
    SERVICE(ResetEvent, ".4"),
    SERVICE(ClearEvent, "."),
    SERVICE(PulseEvent, ".4"),
    SERVICE(WaitForSingleObject, "..l"),
    SERVICE(WaitForMultipleObjects, ".H..l"),
    SERVICE(DuplicateObject, "...8..."),
    SERVICE(QueryObject, "..B.4"),
    SERVICE(FlushBuffersFile, ".I"),
    SERVICE(QueryInformationFile, ".Ib.."),
    SERVICE(SetInformationFile, ".In.."),
    SERVICE(AllocateVirtualMemory, ".8.8.."),
    SERVICE(FreeVirtualMemory, ".88."),
    SERVICE(ProtectVirtualMemory, ".88.4"),
    SERVICE(QueryVirtualMemory, "...B.p"),
    SERVICE(TerminateProcess, ".."),
    SERVICE(TerminateThread, ".."),
    SERVICE(DelayExecution, ".l"),
    SERVICE(YieldExecution, ""),
    SERVICE(TestAlert, ""),
    SERVICE(CancelIoFileEx, "..i"),
    SERVICE(CreateIoCompletion, "8.O."),
    SERVICE(SetIoCompletion, "....."),
    SERVICE(RemoveIoCompletion, ".88il"),
    SERVICE(CreateSection, "8.Ol..."),
    SERVICE(OpenSection, "8.O"),
    SERVICE(MapViewOfSection, "..8..p8..."),
    SERVICE(UnmapViewOfSection, ".."),
    SERVICE(QuerySection, "..b.p"),
    SERVICE(FlushVirtualMemory, ".88i"),
    SERVICE(OpenProcess, "8.Oc"),
    SERVICE(OpenThread, "8.Oc"),
    SERVICE(QueryInformationProcess, "..B.4"),
    SERVICE(QueryInformationThread, "..b.4"),
    SERVICE(SetInformationProcess, "..n."),
    SERVICE(SetInformationThread, "..n."),
    SERVICE(QuerySystemInformation, ".B.4"),
    SERVICE(QueryVolumeInformationFile, ".Ib.."),
    SERVICE(QueryFullAttributesFile, "Of"),
    SERVICE(QueryDirectoryFile, ".........S."),
    SERVICE(DeleteFile, "O"),
    SERVICE(CreateTimer, "8.O."),
    SERVICE(SetTimer, ".l....4"),
    SERVICE(CancelTimer, ".4"),
    SERVICE(CreateKey, "8.O.S.4"),
    SERVICE(OpenKey, "8.O"),
    SERVICE(OpenKeyEx, "8.O."),
    SERVICE(DeleteKey, "."),
    SERVICE(RenameKey, ".S"),
    SERVICE(FlushKey, "."),
    SERVICE(SetValueKey, ".S..n."),
    SERVICE(DeleteValueKey, ".S"),
    SERVICE(QueryValueKey, ".S.b.r"),
    SERVICE(EnumerateValueKey, "...b.r"),
    SERVICE(QueryKey, "..b.r"),
    SERVICE(EnumerateKey, "...b.r"),
    SERVICE(SetInformationKey, "..n."),
    SERVICE(NotifyChangeKey, ".........."),
    SERVICE(SaveKey, ".."),
    SERVICE(SaveKeyEx, "..."),
    SERVICE(RestoreKey, "..."),
    SERVICE(LoadKey, "OO"),
    SERVICE(LoadKey2, "OO."),
    SERVICE(UnloadKey, "O"),
    SERVICE(UnloadKey2, "O."),
    SERVICE(UnloadKeyEx, "O."),
    SERVICE(ReplaceKey, "O.O"),
    SERVICE(QuerySecurityObject, "..b.r"),
    SERVICE(SetSecurityObject, "..."),
    SERVICE(OpenProcessToken, "..8"),
    SERVICE(AdjustPrivilegesToken, "..P.a4"),
    SERVICE(OpenThreadToken, "...8"),
    SERVICE(DuplicateToken, "..O..8"),
    SERVICE(QueryInformationToken, "..B.r"),
    SERVICE(SetInformationToken, "..n."),
    SERVICE(QuerySystemTime, "8"),
    SERVICE(SetSystemTime, "lp"),
    SERVICE(CreateJobObject, "8.O"),
    SERVICE(OpenJobObject, "8.O"),
    SERVICE(AssignProcessToJobObject, ".."),
    SERVICE(TerminateJobObject, ".."),
    SERVICE(IsProcessInJob, ".."),
    SERVICE(QueryInformationJobObject, "..b.4"),
    SERVICE(SetInformationJobObject, "..n."),
#undef SERVICE
};

#define PSP_LARGEST_BUFFER (16u << 20)

typedef struct _PSP_CAPTURE {
    UINT64 User; /* where the argument points in the process; 0 = not captured */
    ULONG Bytes; /* to be written back */
    ULONG Spare;
    UINT64 Before; /* of small ones */
    PVOID Memory;  /* kernel memory to be freed */
    union {
        UINT64 Word;
        IO_STATUS_BLOCK Iosb;
        OBJECT_ATTRIBUTES Attributes;
    };
    UNICODE_STRING Name;
    PVOID NameMemory;
} PSP_CAPTURE, *PPSP_CAPTURE;

static NTSTATUS PspCaptureString(const VOID *User, PUNICODE_STRING String, PVOID *Memory)
{
    NTSTATUS Status = MmReadUser(String, User, sizeof(*String));

    if (!NT_SUCCESS(Status))
        return Status;
    *Memory = ExpTryAllocate(String->Length + sizeof(WCHAR), 'pCsP');
    if (!*Memory)
        return STATUS_INSUFFICIENT_RESOURCES;
    Status = MmReadUser(*Memory, String->Buffer, String->Length);
    String->Buffer = *Memory;
    String->MaximumLength = String->Length;
    return Status;
}

/* The security descriptor stays where the program has it: who makes an object captures it (SeCaptureSecurityDescriptor). */
static NTSTATUS PspCaptureAttributes(PPSP_CAPTURE Capture, const VOID *User)
{
    NTSTATUS Status = MmReadUser(&Capture->Attributes, User, sizeof(Capture->Attributes));

    if (!NT_SUCCESS(Status) || Capture->Attributes.Length != sizeof(OBJECT_ATTRIBUTES))
        return NT_SUCCESS(Status) ? STATUS_INVALID_PARAMETER : Status;
    Capture->Attributes.Attributes &= ~OBJ_KERNEL_HANDLE;
    Capture->Attributes.SecurityQualityOfService = NULL;
    if (!Capture->Attributes.ObjectName)
        return STATUS_SUCCESS;
    Status = PspCaptureString(Capture->Attributes.ObjectName, &Capture->Name, &Capture->NameMemory);
    Capture->Attributes.ObjectName = &Capture->Name;
    return Status;
}

/* A small argument: Word, written back if the service has changed it. */
static NTSTATUS PspCaptureWord(PPSP_CAPTURE Capture, UINT64 *Argument, ULONG Bytes, BOOLEAN In, BOOLEAN Out)
{
    NTSTATUS Status = STATUS_SUCCESS;
    PVOID User = (PVOID)*Argument;

    if (!User && !(In && Out))
        return STATUS_SUCCESS;
    if (In)
        Status = MmReadUser(&Capture->Word, User, Bytes);
    if (NT_SUCCESS(Status) && Out)
        Status = MmProbeUser(User, Bytes, Bytes < 8 ? 4 : 8, TRUE);
    Capture->Before = Capture->Word;
    Capture->User = Out ? *Argument : 0;
    Capture->Bytes = Bytes;
    *Argument = (UINT64)&Capture->Word;
    return Status;
}

static NTSTATUS PspCaptureBuffer(PPSP_CAPTURE Capture, UINT64 *Argument, UINT64 Bytes, BOOLEAN Out)
{
    PVOID User = (PVOID)*Argument;
    NTSTATUS Status = STATUS_SUCCESS;

    Bytes = (ULONG)Bytes;
    if (!User || !Bytes)
        return STATUS_SUCCESS;
    if (Out)
        Status = MmProbeUser(User, Bytes, 4, TRUE);
    if (NT_SUCCESS(Status) && (Bytes > PSP_LARGEST_BUFFER || !(Capture->Memory = ExpTryAllocate(Bytes, 'fBsP'))))
        Status = STATUS_INSUFFICIENT_RESOURCES;
    if (NT_SUCCESS(Status))
        Status = MmReadUser(Capture->Memory, User, Bytes);
    Capture->User = Out ? *Argument : 0;
    Capture->Bytes = (ULONG)Bytes;
    *Argument = (UINT64)Capture->Memory;
    return Status;
}

/* As many entries as its count says, a set of all at most. */
static NTSTATUS PspCapturePrivileges(PPSP_CAPTURE Capture, UINT64 *Argument)
{
    ULONG Count = 0;
    NTSTATUS Status = *Argument ? MmReadUser(&Count, (PVOID)*Argument, sizeof(Count)) : STATUS_SUCCESS;

    if (!NT_SUCCESS(Status) || Count > 64)
        return NT_SUCCESS(Status) ? STATUS_INVALID_PARAMETER : Status;
    Status = PspCaptureBuffer(Capture, Argument,
                              FIELD_OFFSET(TOKEN_PRIVILEGES, Privileges) + Count * sizeof(LUID_AND_ATTRIBUTES), FALSE);
    if (NT_SUCCESS(Status) && Capture->Memory)
        ((PTOKEN_PRIVILEGES)Capture->Memory)->PrivilegeCount = Count; /* it may have changed meanwhile */
    return Status;
}

static NTSTATUS PspCapture(CHAR Kind, PPSP_CAPTURE Capture, UINT64 *Argument, ULONG Position)
{
    UINT64 *At = &Argument[Position];

    switch (Kind) {
    case '8':
        return PspCaptureWord(Capture, At, 8, TRUE, TRUE);
    case 'p':
        return *At ? PspCaptureWord(Capture, At, 8, TRUE, TRUE) : STATUS_SUCCESS;
    case 'c':
        return PspCaptureBuffer(Capture, At, sizeof(CLIENT_ID), FALSE);
    case 'f':
        return PspCaptureBuffer(Capture, At, sizeof(FILE_NETWORK_OPEN_INFORMATION), TRUE);
    case '4':
        return PspCaptureWord(Capture, At, 4, FALSE, TRUE);
    case 'r':
        return *At ? PspCaptureWord(Capture, At, 4, FALSE, TRUE) : STATUS_ACCESS_VIOLATION;
    case 'P':
        return PspCapturePrivileges(Capture, At);
    case 'l':
        return PspCaptureWord(Capture, At, 8, TRUE, FALSE);
    case 'k':
        return PspCaptureWord(Capture, At, 4, TRUE, FALSE);
    case 'i':
    case 'I':
        Capture->User = *At;
        Capture->Bytes = sizeof(IO_STATUS_BLOCK);
        *At = (UINT64)&Capture->Iosb;
        Capture->Iosb.Status = STATUS_PENDING;
        return MmProbeUser((PVOID)Capture->User, sizeof(IO_STATUS_BLOCK), 8, TRUE);
    case 'O': {
        PVOID User = (PVOID)*At;
        *At = User ? (UINT64)&Capture->Attributes : 0;
        return User ? PspCaptureAttributes(Capture, User) : STATUS_SUCCESS;
    }
    case 'S': {
        PVOID User = (PVOID)*At;
        *At = User ? (UINT64)&Capture->Name : 0;
        return User ? PspCaptureString(User, &Capture->Name, &Capture->NameMemory) : STATUS_SUCCESS;
    }
    case 'a':
        return PspCaptureBuffer(Capture, At, Argument[Position - 1], TRUE);
    case 'b':
    case 'B':
    case 'n':
        return PspCaptureBuffer(Capture, At, Argument[Position + 1], Kind != 'n');
    case 'H':
        if ((ULONG)Argument[Position - 1] > MAXIMUM_WAIT_OBJECTS)
            return STATUS_INVALID_PARAMETER_1;
        return PspCaptureBuffer(Capture, At, (ULONG)Argument[Position - 1] * sizeof(HANDLE), FALSE);
    default:
        return STATUS_SUCCESS;
    }
}

/* Structures that point to what lies behind them: the program is to find it in its own buffer. */
static VOID PspMovePointers(PPSP_CAPTURE Capture)
{
    UINT64 *Word = Capture->Memory;

    for (ULONG i = 0; i < Capture->Bytes / sizeof(*Word); i++)
        if (Word[i] - (UINT64)Capture->Memory < Capture->Bytes)
            Word[i] += Capture->User - (UINT64)Capture->Memory;
}

/* Results go out; a page that has vanished meanwhile is the program's own affair. Served: the service was called; a probe's
 * STATUS_DATATYPE_MISALIGNMENT is no error by its number either. */
static VOID PspRelease(CHAR Kind, PPSP_CAPTURE Capture, BOOLEAN Served, NTSTATUS Status)
{
    if (Served && Capture->User && Kind == 'B' && !NT_ERROR(Status))
        PspMovePointers(Capture);
    if (!Served)
        ;
    else if (Capture->User && (Kind == 'b' || Kind == 'B' || Kind == 'a' || Kind == 'f') && !NT_ERROR(Status))
        MmWriteUser((PVOID)Capture->User, Capture->Memory, Capture->Bytes);
    else if (Capture->User && (Kind == 'i' || Kind == 'I') &&
             (!NT_ERROR(Status) || (Kind == 'I' && Capture->Iosb.Status != STATUS_PENDING)))
        MmWriteUser((PVOID)Capture->User, &Capture->Iosb, sizeof(Capture->Iosb));
    else if (Capture->User && (Kind == '8' || Kind == '4' || Kind == 'r' || Kind == 'p') &&
             (NT_SUCCESS(Status) || Capture->Word != Capture->Before))
        MmWriteUser((PVOID)Capture->User, &Capture->Word, Capture->Bytes);
    if (Capture->Memory)
        ExpFree(Capture->Memory);
    if (Capture->NameMemory)
        ExpFree(Capture->NameMemory);
}

static NTSTATUS PspCallService(ULONG Service, const uint64_t *Given)
{
    UINT64 Argument[DOOR_CALL_ARGUMENTS];
    NTSTATUS Status = STATUS_SUCCESS;
    PPSP_CAPTURE Capture = NULL;
    PCSTR Kinds;
    ULONG Held = 0, Count;
    BOOLEAN Served;

    if (Service >= DOOR_SERVICE_COUNT)
        return STATUS_INVALID_SYSTEM_SERVICE;
    Kinds = PspServices[Service].Arguments;
    Count = (ULONG)strlen(Kinds);
    RtlCopyMemory(Argument, Given, sizeof(Argument));
    if (strspn(Kinds, ".") < Count) {
        Capture = ExpTryAllocate(Count * sizeof(*Capture), 'aCsP');
        if (!Capture)
            return STATUS_INSUFFICIENT_RESOURCES;
        while (Held < Count && NT_SUCCESS(Status)) {
            Status = PspCapture(Kinds[Held], &Capture[Held], Argument, Held);
            Held++;
        }
    }
    Served = NT_SUCCESS(Status);
    if (Served)
        Status = ((PSP_SERVICE)PspServices[Service].Routine)(Argument[0], Argument[1], Argument[2], Argument[3],
                                                             Argument[4], Argument[5], Argument[6], Argument[7],
                                                             Argument[8], Argument[9], Argument[10], Argument[11]);
    while (Held) {
        Held--;
        PspRelease(Kinds[Held], &Capture[Held], Served, Status);
    }
    if (Capture)
        ExpFree(Capture);
    return Status;
}

/* User APCs that wait run now. */
NTSTATUS NTAPI NtTestAlert(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();

    if (!IsListEmpty(&Thread->ApcState.ApcListHead[UserMode]))
        Thread->ApcState.UserApcPending = TRUE;
    return STATUS_SUCCESS;
}

/* docs: NtDelayExecution is KeDelayExecutionThread for user mode. */
NTSTATUS NTAPI NtDelayExecution(BOOLEAN Alertable, PLARGE_INTEGER Interval)
{
    if (!Interval)
        return STATUS_ACCESS_VIOLATION;
    return KeDelayExecutionThread(ExGetPreviousMode(), Alertable, Interval);
}

NTSTATUS NTAPI NtYieldExecution(VOID)
{
    KiCountBusy(1); /* no wait: a loop of them must come to an end */
    return KiYield() ? STATUS_SUCCESS : STATUS_NO_YIELD_PERFORMED;
}

/* ---- Calls ----------------------------------------------------------------------------------------------------------
 */

static BOOLEAN PspIsInside(const struct door_call *Call, UINT64 Offset, UINT64 Bytes)
{
    return Call->data <= DOOR_USER_DATA && Call->bytes <= DOOR_USER_DATA - Call->data && Offset <= Call->bytes &&
           Bytes <= Call->bytes - Offset;
}

static NTSTATUS PspCopy(const struct door_call *Call, BOOLEAN Out, BOOLEAN Succeeded)
{
    NTSTATUS Status = STATUS_SUCCESS;

    for (ULONG i = 0; i < Call->copies && i < DOOR_CALL_COPIES && NT_SUCCESS(Status); i++) {
        const struct door_copy *Copy = &Call->copy[i];
        PUCHAR Data = KiDoor->user->data + Call->data + Copy->offset;
        if (!Copy->bytes || (Copy->when == DOOR_COPY_IN) == Out ||
            (Copy->when == DOOR_COPY_OUT_ON_SUCCESS && !Succeeded))
            continue;
        if (!PspIsInside(Call, Copy->offset, Copy->bytes))
            return STATUS_INVALID_PARAMETER;
        Status = Out ? MmReadUser(Data, (PVOID)Copy->address, Copy->bytes)
                     : MmWriteUser((PVOID)Copy->address, Data, Copy->bytes);
    }
    return Status;
}

/* Back to user mode: what waits there runs now, and the outside is told which routine with what. */
static VOID PspDeliverUserApcs(struct door_call *Reply)
{
    PKTHREAD Thread = KeGetCurrentThread();
    PLIST_ENTRY Head = &Thread->ApcState.ApcListHead[UserMode];

    while (Thread->ApcState.UserApcPending && !IsListEmpty(Head) && Reply->apcs < DOOR_CALL_APCS) {
        PKAPC Apc = CONTAINING_RECORD(RemoveHeadList(Head), KAPC, ApcListEntry);
        PKNORMAL_ROUTINE Normal = Apc->NormalRoutine;
        PVOID Context = Apc->NormalContext, First = Apc->SystemArgument1, Second = Apc->SystemArgument2;
        KIRQL OldIrql = KiRaiseIrql(APC_LEVEL);
        Apc->Inserted = FALSE;
        KiCallApcKernelRoutine(Apc, &Normal, &Context, &First, &Second);
        KiLowerIrql(OldIrql);
        if (Normal)
            Reply->apc[Reply->apcs++] =
                (struct door_apc){(UINT64)Normal, {(UINT64)Context, (UINT64)First, (UINT64)Second}};
    }
    if (IsListEmpty(Head))
        Thread->ApcState.UserApcPending = FALSE;
}

/* The string at *At in the call's data, and *At behind it; NULL = it does not end. */
static PCSTR PspString(const struct door_call *Call, UINT64 *At)
{
    PCSTR Text = (PCSTR)KiDoor->user->data + Call->data + *At;

    for (UINT64 Start = *At; PspIsInside(Call, *At, 1);)
        if (!KiDoor->user->data[Call->data + (*At)++])
            return (void)Start, Text;
    return NULL;
}

static NTSTATUS PspCallLaunch(PEPROCESS Parent, struct door_call *Call)
{
    PSP_LAUNCH Launch = {.Flags = (ULONG)Call->argument[0], .Slot = (ULONG)Call->argument[1]};
    PEPROCESS Process;
    PETHREAD Thread;
    UINT64 At = 0;
    NTSTATUS Status;

    Launch.Image = PspString(Call, &At);
    Launch.CommandLine = Launch.Image ? PspString(Call, &At) : NULL;
    if (!Launch.CommandLine)
        return STATUS_INVALID_PARAMETER;
    Status = PspLaunch(Parent, &Launch, &Process, &Thread);
    if (!NT_SUCCESS(Status))
        return Status;
    Call->value = (UINT64)Process->UniqueProcessId;
    Call->argument[0] = (UINT64)Thread->Cid.UniqueThread;
    Call->argument[1] = Thread->UserStack;
    MiTellShare(Process->Space, &Call->argument[2], &Call->argument[3]);
    ObfDereferenceObject(Thread);
    ObfDereferenceObject(Process);
    return STATUS_SUCCESS;
}

static NTSTATUS PspCallThread(PEPROCESS Process, struct door_call *Call)
{
    PETHREAD Thread;
    NTSTATUS Status = PspCreateUserThread(Process, &Thread);

    if (!NT_SUCCESS(Status))
        return Status;
    Call->value = Call->argument[0] = (UINT64)Thread->Cid.UniqueThread;
    Call->argument[1] = Thread->UserStack;
    PspStartUserThread(Thread);
    ObfDereferenceObject(Thread);
    return STATUS_SUCCESS;
}

static VOID PspCarryOut(struct door_call *Call)
{
    PEPROCESS Process = (PEPROCESS)KeGetCurrentThread()->Process;

    Call->apcs = 0;
    Call->status = PspCopy(Call, FALSE, FALSE);
    if (!NT_SUCCESS((NTSTATUS)Call->status))
        return;
    switch (Call->kind) {
    case DOOR_CALL_LAUNCH:
        Call->status = PspCallLaunch(Process, Call);
        break;
    case DOOR_CALL_THREAD:
        Call->status = PspCallThread(Process, Call);
        break;
    case DOOR_CALL_SERVICE:
        Call->value = Call->status = PspCallService(Call->service, Call->argument);
        break;
    case DOOR_CALL_COPY:
        break;
    default:
        Call->status = STATUS_INVALID_PARAMETER;
    }
    PspDeliverUserApcs(Call);
    NTSTATUS Status = PspCopy(Call, TRUE, NT_SUCCESS((NTSTATUS)Call->status));
    if (!NT_SUCCESS(Status))
        Call->status = Status;
}

static VOID PspAnswer(ULONG Index, const struct door_call *Call)
{
    struct door_call *Slot = &KiDoor->user->call[Index];

    Slot->status = Call->status;
    Slot->value = Call->value;
    RtlCopyMemory(Slot->argument, Call->argument, 4 * sizeof(Slot->argument[0]));
    Slot->apcs = Call->apcs;
    RtlCopyMemory(Slot->apc, Call->apc, Call->apcs * sizeof(Call->apc[0]));
    __atomic_store_n(&Slot->state, DOOR_CALL_DONE, __ATOMIC_RELEASE);
    PspDone++;
    KeSetEvent(&PspCallDone, IO_NO_INCREMENT, FALSE);
}

/* The call that ended its thread, or a process, is answered when that has gone. */
VOID PspAnswerLast(PVOID *LastCall)
{
    PPSP_CALL Call = *LastCall;

    if (!Call)
        return;
    *LastCall = NULL;
    PspAnswer(Call->Index, &Call->Call);
    ExpFree(Call);
}

VOID PspForgetCalls(PETHREAD Thread)
{
    while (!IsListEmpty(&Thread->Calls)) {
        PPSP_CALL Call = CONTAINING_RECORD(RemoveHeadList(&Thread->Calls), PSP_CALL, Entry);
        Call->Call.status = STATUS_THREAD_IS_TERMINATING;
        Call->Call.apcs = 0;
        PspAnswer(Call->Index, &Call->Call);
        ExpFree(Call);
    }
}

static VOID PspAnnounceImages(PEPROCESS Process)
{
    UNICODE_STRING Ntdll = RTL_CONSTANT_STRING(L"\\SystemRoot\\System32\\ntdll.dll");

    PspNotifyImage(&Process->ImagePath, Process->UniqueProcessId, Process->SectionBaseAddress, 0x10000, FALSE,
                   Process->ImageFile);
    PspNotifyImage(&Ntdll, Process->UniqueProcessId, Process->NtdllBase, 0x10000, FALSE, NULL);
}

/* docs: PsSetLoadImageNotifyRoutine: the image and ntdll are announced by the first thread, before the program runs. */
VOID NTAPI PspUserThread(PVOID Context)
{
    PETHREAD Thread = Context;
    PEPROCESS Process = (PEPROCESS)Thread->Tcb.Process;

    Thread->Started = TRUE;
    PspNotifyNewThread(Thread);
    if (Process->FirstThread == Thread && !Thread->Tcb.UserEnds)
        PspAnnounceImages(Process);
    while (!Thread->Tcb.UserEnds) {
        if (IsListEmpty(&Thread->Calls)) {
            KeWaitForSingleObject(&Thread->Work, UserRequest, UserMode, FALSE, NULL);
            continue;
        }
        PPSP_CALL Call = CONTAINING_RECORD(RemoveHeadList(&Thread->Calls), PSP_CALL, Entry);
        PspCarryOut(&Call->Call);
        if (Thread->Tcb.UserEnds) {
            Thread->LastCall = Call;
            break;
        }
        PspAnswer(Call->Index, &Call->Call);
        ExpFree(Call);
    }
    PspForgetCalls(Thread);
    PspExitThread(Thread->EndsWith);
}

/* ---- The operator's side ----------------------------------------------------------------------------------------- */

static PETHREAD PspThreadOfCall(PEPROCESS Process, ULONG Id)
{
    for (PLIST_ENTRY Entry = Process->Pcb.ThreadListHead.Flink; Entry != &Process->Pcb.ThreadListHead;
         Entry = Entry->Flink) {
        PETHREAD Thread = (PETHREAD)CONTAINING_RECORD(Entry, struct _KTHREAD, ThreadListEntry);
        if (Thread->Tcb.SystemRoutine == PspUserThread && !Thread->Tcb.UserEnds && !Thread->Terminating &&
            (!Id || (UINT64)Thread->Cid.UniqueThread == Id))
            return Thread;
    }
    return NULL;
}

static PPSP_CALL PspKeepCall(ULONG Index, const struct door_call *Given)
{
    PPSP_CALL Call = ExpTryAllocate(sizeof(*Call), 'laCP');

    if (Call) {
        Call->Index = Index;
        Call->Call = *Given;
    }
    return Call;
}

/* An exception that nobody handles: at once, whatever the threads wait for. The answer comes when the process has gone. */
static NTSTATUS PspCrash(PEPROCESS Process, ULONG Index, struct door_call *Given)
{
    if (Process->Exited || Process->LastCall)
        return STATUS_PROCESS_IS_TERMINATING;
    Given->status = STATUS_SUCCESS;
    Given->apcs = 0;
    Process->LastCall = PspKeepCall(Index, Given);
    if (!Process->LastCall)
        return STATUS_INSUFFICIENT_RESOURCES;
    PspEndProcess(Process, (NTSTATUS)Given->argument[0]);
    return STATUS_SUCCESS;
}

static NTSTATUS PspPost(ULONG Index, struct door_call *Given)
{
    PEPROCESS Process = PspFindProcess(Given->process);
    PETHREAD Thread;
    PPSP_CALL Call;

    if (!Process)
        return STATUS_INVALID_CID;
    if (!PspIsUser(Process)) { /* the System process launches by the operator's thread */
        NTSTATUS Status = Given->kind == DOOR_CALL_LAUNCH ? PspCallLaunch(Process, Given) : STATUS_ACCESS_DENIED;
        ObfDereferenceObject(Process);
        return NT_SUCCESS(Status) ? STATUS_ALERTED : Status;
    }
    if (Given->kind == DOOR_CALL_RAISE) {
        NTSTATUS Status = PspCrash(Process, Index, Given);
        ObfDereferenceObject(Process);
        return Status;
    }
    Thread = PspThreadOfCall(Process, Given->thread);
    Call = Thread ? PspKeepCall(Index, Given) : NULL;
    if (Call) {
        InsertTailList(&Thread->Calls, &Call->Entry);
        KeSetEvent(&Thread->Work, IO_NO_INCREMENT, FALSE);
    }
    ObfDereferenceObject(Process);
    if (!Thread)
        return Given->thread ? STATUS_INVALID_CID : STATUS_PROCESS_IS_TERMINATING;
    return Call ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

VOID PspPostCall(ULONG Index)
{
    struct door_call Given = KiDoor->user->call[Index];
    NTSTATUS Status = PspPost(Index, &Given);

    if (Status == STATUS_SUCCESS)
        return;
    Given.status = Status == STATUS_ALERTED ? STATUS_SUCCESS : Status; /* it has been answered by us */
    Given.apcs = 0;
    PspAnswer(Index, &Given);
}

BOOLEAN PspCallIsDone(ULONG Index)
{
    return KiDoor->user->call[Index].state == DOOR_CALL_DONE;
}

ULONG PspTakeDone(VOID)
{
    ULONG Done = PspDone;

    PspDone = 0;
    KeClearEvent(&PspCallDone);
    return Done;
}
