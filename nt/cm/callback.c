/*
 * Registry callbacks (docs: CmRegisterCallbackEx, "Filtering Registry Calls", "Handling Notifications",
 * REG_NOTIFY_CLASS).
 *
 * Drivers are told of an operation before it, from the highest altitude down, and after it in the opposite order. One
 * that decides before (an error, or STATUS_CALLBACK_BYPASS) ends the operation: those above it, who were told of its
 * beginning, are told of its end; it and those below are not. One that returns STATUS_CALLBACK_BYPASS after the
 * operation replaces its status.
 *
 * A registration goes when its owner has unregistered it and no call of it is under way; operations that have begun
 * remember it until they end.
 */
#include "nt.h"
#include "cm/cmp.h"

typedef struct _CM_CALLBACK {
    LIST_ENTRY Entry; /* altitude order, highest first */
    UNICODE_STRING Altitude;
    PEX_CALLBACK_FUNCTION Routine;
    PVOID Context;
    LARGE_INTEGER Cookie;
    ULONG Running, References;
    BOOLEAN Gone;
    KEVENT Idle;
    LIST_ENTRY Contexts; /* CM_CONTEXT.OfCallback */
    ULONG Stack;         /* registered at */
} CM_CALLBACK, *PCM_CALLBACK;

/* A driver's pointer for one key object. */
typedef struct _CM_CONTEXT {
    struct _CM_CONTEXT *Next; /* of the key object */
    LIST_ENTRY OfCallback;
    PCM_CALLBACK Callback;
    PCM_KEY_BODY Body;
    PVOID Context;
} CM_CONTEXT, *PCM_CONTEXT;

typedef struct _CM_CALLED {
    PCM_CALLBACK Callback;
    PVOID CallContext;
} CM_CALLED, *PCM_CALLED;

static LIST_ENTRY CmpCallbacks = {&CmpCallbacks, &CmpCallbacks};
static ULONG CmpCallbackCount;
static ULONG64 CmpLastCookie = 0x01000000;

/* ---- Altitudes: decimal numbers, whole part and fraction --------------------------------------------------------- */

static BOOLEAN CmpIsAltitude(PCUNICODE_STRING Text)
{
    ULONG Points = 0, Digits = 0;
    for (ULONG i = 0; i < Text->Length / sizeof(WCHAR); i++) {
        Points += Text->Buffer[i] == L'.';
        Digits += Text->Buffer[i] >= L'0' && Text->Buffer[i] <= L'9';
    }
    return Digits && Points <= 1 && Digits + Points == Text->Length / sizeof(WCHAR);
}

static LONG CmpCompareAltitude(PCUNICODE_STRING One, PCUNICODE_STRING Other)
{
    PCUNICODE_STRING Text[2] = {One, Other};
    ULONG Start[2], Point[2];
    for (ULONG k = 0; k < 2; k++) {
        ULONG n = Text[k]->Length / sizeof(WCHAR);
        for (Start[k] = 0; Start[k] < n && Text[k]->Buffer[Start[k]] == L'0';)
            Start[k]++;
        for (Point[k] = Start[k]; Point[k] < n && Text[k]->Buffer[Point[k]] != L'.';)
            Point[k]++;
    }
    ULONG Whole[2] = {Point[0] - Start[0], Point[1] - Start[1]};
    if (Whole[0] != Whole[1])
        return Whole[0] < Whole[1] ? -1 : 1;
    for (ULONG i = 0; i < Whole[0]; i++)
        if (One->Buffer[Start[0] + i] != Other->Buffer[Start[1] + i])
            return One->Buffer[Start[0] + i] < Other->Buffer[Start[1] + i] ? -1 : 1;
    for (ULONG i = 1;; i++) { /* the fractions, as if followed by zeros without end */
        BOOLEAN More = FALSE;
        WCHAR Digit[2];
        for (ULONG k = 0; k < 2; k++) {
            BOOLEAN Has = Point[k] + i < Text[k]->Length / sizeof(WCHAR);
            Digit[k] = Has ? Text[k]->Buffer[Point[k] + i] : L'0';
            More |= Has;
        }
        if (!More)
            return 0;
        if (Digit[0] != Digit[1])
            return Digit[0] < Digit[1] ? -1 : 1;
    }
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

static PCM_CALLBACK CmpFindCallback(LARGE_INTEGER Cookie)
{
    for (PLIST_ENTRY Entry = CmpCallbacks.Flink; Entry != &CmpCallbacks; Entry = Entry->Flink) {
        PCM_CALLBACK Callback = CONTAINING_RECORD(Entry, CM_CALLBACK, Entry);
        if (Callback->Cookie.QuadPart == Cookie.QuadPart)
            return Callback;
    }
    return NULL;
}

static NTSTATUS CmpRegister(PEX_CALLBACK_FUNCTION Routine, PCUNICODE_STRING Altitude, PVOID Context,
                            PLARGE_INTEGER Cookie, ULONG Stack)
{
    PLIST_ENTRY Place = CmpCallbacks.Flink;
    for (; Place != &CmpCallbacks; Place = Place->Flink) {
        LONG Order = CmpCompareAltitude(&CONTAINING_RECORD(Place, CM_CALLBACK, Entry)->Altitude, Altitude);
        if (Order == 0)
            return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
        if (Order < 0)
            break;
    }
    PCM_CALLBACK Callback = ExpAllocate(sizeof(*Callback) + Altitude->Length, CM_TAG);
    RtlZeroMemory(Callback, sizeof(*Callback));
    Callback->Altitude.Buffer = (PWSTR)(Callback + 1);
    Callback->Altitude.Length = Callback->Altitude.MaximumLength = Altitude->Length;
    RtlCopyMemory(Callback->Altitude.Buffer, Altitude->Buffer, Altitude->Length);
    Callback->Routine = Routine;
    Callback->Context = Context;
    Callback->References = 1;
    Callback->Stack = Stack;
    Callback->Cookie.QuadPart = (LONGLONG)++CmpLastCookie;
    *Cookie = Callback->Cookie; /* before the first call may come */
    InitializeListHead(&Callback->Contexts);
    KeInitializeEvent(&Callback->Idle, NotificationEvent, FALSE);
    InsertTailList(Place, &Callback->Entry);
    CmpCallbackCount++;
    VfTrack(Callback, sizeof(*Callback), VfCallbackObject, (PVOID)(ULONG_PTR)Routine, Stack);
    return STATUS_SUCCESS;
}

/* docs: CmRegisterCallback: the system chooses altitudes for drivers that name none. Ours: below all others', each new
 * one above the last. */
NTSTATUS NTAPI CmRegisterCallback(PEX_CALLBACK_FUNCTION Routine, PVOID Context, PLARGE_INTEGER Cookie)
{
    static ULONG Next;
    CHAR Text[24];
    WCHAR Wide[24];
    UNICODE_STRING Altitude;
    RtlpFormat(Text, sizeof(Text), "0.%08u", ++Next);
    Wide[RtlpFromUtf8(Wide, RTL_NUMBER_OF(Wide) - 1, Text)] = 0;
    RtlInitUnicodeString(&Altitude, Wide);
    return CmpRegister(Routine, &Altitude, Context, Cookie, VfCaptureStack());
}

NTSTATUS NTAPI CmRegisterCallbackEx(PEX_CALLBACK_FUNCTION Routine, PCUNICODE_STRING Altitude, PVOID Driver,
                                    PVOID Context, PLARGE_INTEGER Cookie, PVOID Reserved)
{
    if (!Altitude || !Altitude->Buffer || !CmpIsAltitude(Altitude) || !Driver)
        return STATUS_INVALID_PARAMETER;
    return CmpRegister(Routine, Altitude, Context, Cookie, VfCaptureStack());
}

static VOID CmpReleaseCallback(PCM_CALLBACK Callback)
{
    if (--Callback->References == 0)
        ExpFree(Callback);
}

/* Call the driver's routine. The registration may go meanwhile, its memory stays by the caller's reference. */
static NTSTATUS CmpInvoke(PCM_CALLBACK Callback, REG_NOTIFY_CLASS Class, PVOID Information)
{
    VF_CALLBACK Entered = {.Contract = "EX_CALLBACK_FUNCTION",
                           .What = "registry callback",
                           .Routine = (PVOID)(ULONG_PTR)Callback->Routine,
                           .Object = (PVOID)(ULONG_PTR)Callback->Routine,
                           .Stack = Callback->Stack,
                           .StackText = "The callback was registered at:"};
    Callback->Running++;
    VfEnterCallback(&Entered);
    NTSTATUS Status = Callback->Routine(Callback->Context, (PVOID)(ULONG_PTR)Class, Information);
    VfLeaveCallback(&Entered);
    if (--Callback->Running == 0 && Callback->Gone)
        KeSetEvent(&Callback->Idle, 0, FALSE);
    return Status;
}

BOOLEAN CmpInCallback(VOID)
{
    PVF_CALLBACK Callback = VfCurrentCallback();
    while (Callback && strcmp(Callback->Contract, "EX_CALLBACK_FUNCTION"))
        Callback = Callback->Outer;
    return Callback != NULL;
}

static PCM_CONTEXT CmpFindContext(PCM_KEY_BODY Body, PCM_CALLBACK Callback)
{
    PCM_CONTEXT Context = Body ? Body->Contexts : NULL;
    while (Context && Context->Callback != Callback)
        Context = Context->Next;
    return Context;
}

/* docs: RegNtCallbackObjectContextCleanup. */
static VOID CmpDropContext(PCM_CONTEXT Context)
{
    REG_CALLBACK_CONTEXT_CLEANUP_INFORMATION Information = {.Object = Context->Body, .ObjectContext = Context->Context};
    PCM_CALLBACK Callback = Context->Callback;
    PCM_CONTEXT *Place = &Context->Body->Contexts;
    while (*Place != Context)
        Place = &(*Place)->Next;
    *Place = Context->Next;
    RemoveEntryList(&Context->OfCallback);
    ExpFree(Context);
    Callback->References++;
    CmpInvoke(Callback, RegNtCallbackObjectContextCleanup, &Information);
    CmpReleaseCallback(Callback);
}

VOID CmpContextsGo(PCM_KEY_BODY Body)
{
    while (Body->Contexts)
        CmpDropContext(Body->Contexts);
}

/* docs: CmUnRegisterCallback: it waits for calls that are under way. */
NTSTATUS NTAPI CmUnRegisterCallback(LARGE_INTEGER Cookie)
{
    PCM_CALLBACK Callback = CmpFindCallback(Cookie);
    if (!Callback)
        return STATUS_INVALID_PARAMETER;
    RemoveEntryList(&Callback->Entry);
    CmpCallbackCount--;
    Callback->Gone = TRUE;
    if (Callback->Running)
        KeWaitForSingleObject(&Callback->Idle, Executive, KernelMode, FALSE, NULL);
    while (!IsListEmpty(&Callback->Contexts))
        CmpDropContext(CONTAINING_RECORD(Callback->Contexts.Flink, CM_CONTEXT, OfCallback));
    VfUntrack(Callback, VfCallbackObject);
    CmpReleaseCallback(Callback);
    return STATUS_SUCCESS;
}

/* docs: CmGetCallbackVersion: it tells whether the Vista features are there; 1.0 is Windows Vista's. */
VOID NTAPI CmGetCallbackVersion(PULONG Major, PULONG Minor)
{
    if (Major)
        *Major = 1;
    if (Minor)
        *Minor = 0;
}

/* ---- Around an operation ----------------------------------------------------------------------------------------- */

static BOOLEAN CmpRemember(PCM_CALL Call)
{
    PCM_CALLED Called = ExpAllocate(CmpCallbackCount * sizeof(*Called), CM_TAG);
    ULONG Count = 0;
    for (PLIST_ENTRY Entry = CmpCallbacks.Flink; Entry != &CmpCallbacks; Entry = Entry->Flink) {
        Called[Count].Callback = CONTAINING_RECORD(Entry, CM_CALLBACK, Entry);
        Called[Count].CallContext = NULL;
        Called[Count++].Callback->References++;
    }
    Call->Called = Called;
    Call->Count = Count;
    return Count != 0;
}

static VOID CmpSetContexts(PCM_CALL Call, PCM_CALLED Called)
{
    PCM_CONTEXT Context = CmpFindContext(Call->Object, Called->Callback);
    *Call->CallContext = Called->CallContext;
    *Call->ObjectContext = Context ? Context->Context : NULL;
}

BOOLEAN CmpBefore(PCM_CALL Call, PNTSTATUS Status)
{
    *Status = STATUS_SUCCESS;
    if (!CmpCallbackCount || !CmpRemember(Call))
        return TRUE;
    for (ULONG i = 0; i < Call->Count; i++) {
        PCM_CALLED Called = &Call->Called[i];
        if (Called->Callback->Gone)
            continue;
        CmpSetContexts(Call, Called);
        NTSTATUS Said = CmpInvoke(Called->Callback, Call->Pre, Call->Information);
        Called->CallContext = *Call->CallContext;
        if (NT_SUCCESS(Said))
            continue;
        for (ULONG Rest = i; Rest < Call->Count; Rest++)
            CmpReleaseCallback(Call->Called[Rest].Callback);
        Call->Count = i;
        Call->Filtered = TRUE;
        *Status = Said == STATUS_CALLBACK_BYPASS ? STATUS_SUCCESS : Said;
        return FALSE;
    }
    return TRUE;
}

NTSTATUS CmpAfter(PCM_CALL Call, PVOID Object, NTSTATUS Status)
{
    for (ULONG i = Call->Count; i-- && Call->Called;) {
        PCM_CALLED Called = &Call->Called[i];
        if (!Called->Callback->Gone) {
            CmpSetContexts(Call, Called);
            REG_POST_OPERATION_INFORMATION Information = {.Object = Object,
                                                          .Status = Status,
                                                          .PreInformation = Call->Information,
                                                          .ReturnStatus = Status,
                                                          .CallContext = Called->CallContext,
                                                          .ObjectContext = *Call->ObjectContext};
            if (CmpInvoke(Called->Callback, Call->Post, &Information) == STATUS_CALLBACK_BYPASS)
                Status = Information.ReturnStatus;
        }
        CmpReleaseCallback(Called->Callback);
    }
    if (Call->Called)
        ExpFree(Call->Called);
    Call->Called = NULL;
    return Status;
}

NTSTATUS CmpRunOperation(HANDLE Handle, ACCESS_MASK Access, PCM_CALL Call, ULONG Bytes, CM_OPERATION *Operation)
{
    ULONGLONG Asked[16];
    PCM_KEY_BODY Body;
    NTSTATUS Status = CmpReferenceBody(Handle, Access, &Body);
    KI_ASSERT(Bytes <= sizeof(Asked));
    if (!NT_SUCCESS(Status))
        return Status;
    *(PVOID *)Call->Information = Call->Object = Body; /* the structures' first field */
    RtlCopyMemory(Asked, Call->Information, Bytes);
    if (CmpBefore(Call, &Status))
        Status = Operation(Body, Asked);
    Status = CmpAfter(Call, Body, Status);
    ObfDereferenceObject(Body);
    return Status;
}

/* ---- For the callbacks ------------------------------------------------------------------------------------------- */

/* docs: CmSetCallbackObjectContext. */
NTSTATUS NTAPI CmSetCallbackObjectContext(PVOID Object, PLARGE_INTEGER Cookie, PVOID NewContext, PVOID *OldContext)
{
    PCM_CALLBACK Callback = Cookie ? CmpFindCallback(*Cookie) : NULL;
    PCM_KEY_BODY Body = Object;
    if (!Callback || !Object || ObpTypeOf(Object) != CmpKeyType)
        return STATUS_INVALID_PARAMETER;
    PCM_CONTEXT Context = CmpFindContext(Body, Callback);
    if (OldContext)
        *OldContext = Context ? Context->Context : NULL;
    if (!Context) {
        Context = ExpAllocate(sizeof(*Context), CM_TAG);
        Context->Callback = Callback;
        Context->Body = Body;
        Context->Next = Body->Contexts;
        Body->Contexts = Context;
        InsertTailList(&Callback->Contexts, &Context->OfCallback);
    }
    Context->Context = NewContext;
    return STATUS_SUCCESS;
}

/* docs: CmCallbackGetKeyObjectIDEx: the key's path in the caller's own copy. The identifier is the same for each object
 * of one key. */
NTSTATUS NTAPI CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID,
                                          PCUNICODE_STRING *ObjectName, ULONG Flags)
{
    PCM_KEY_BODY Body = Object;
    if (!Object || Flags)
        return STATUS_INVALID_PARAMETER;
    if (ObpTypeOf(Object) != CmpKeyType || !Cookie || !CmpFindCallback(*Cookie))
        return STATUS_INVALID_PARAMETER;
    if (ObjectID)
        *ObjectID = (ULONG_PTR)Body->Key;
    if (!ObjectName)
        return STATUS_SUCCESS;
    ULONG Bytes = CmpPathOf(Body->Key, NULL);
    PUNICODE_STRING Name = IopAllocate(sizeof(*Name) + Bytes + sizeof(WCHAR), 'bNmC', VfCaptureStack());
    if (!Name)
        return STATUS_INSUFFICIENT_RESOURCES;
    Name->Buffer = (PWSTR)(Name + 1);
    Name->Length = (USHORT)Bytes;
    Name->MaximumLength = (USHORT)(Bytes + sizeof(WCHAR));
    CmpPathOf(Body->Key, Name->Buffer);
    Name->Buffer[Bytes / sizeof(WCHAR)] = 0;
    *ObjectName = Name;
    return STATUS_SUCCESS;
}

VOID NTAPI CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING ObjectName)
{
    IopFree((PVOID)ObjectName);
}

/* docs: CmCallbackGetKeyObjectID: the string is the system's and goes with the key object. */
NTSTATUS NTAPI CmCallbackGetKeyObjectID(PLARGE_INTEGER Cookie, PVOID Object, PULONG_PTR ObjectID,
                                        PCUNICODE_STRING *ObjectName)
{
    PCM_KEY_BODY Body = Object;
    if (!Object || ObpTypeOf(Object) != CmpKeyType || !Cookie || !CmpFindCallback(*Cookie))
        return STATUS_INVALID_PARAMETER;
    if (ObjectID)
        *ObjectID = (ULONG_PTR)Body->Key;
    if (!ObjectName)
        return STATUS_SUCCESS;
    ULONG Bytes = CmpPathOf(Body->Key, NULL);
    if (!Body->Name || Body->Name->Length != Bytes) {
        PUNICODE_STRING Name = ExpAllocate(sizeof(*Name) + Bytes + sizeof(WCHAR), CM_TAG);
        Name->Buffer = (PWSTR)(Name + 1);
        Name->Length = (USHORT)Bytes;
        Name->MaximumLength = (USHORT)(Bytes + sizeof(WCHAR));
        Name->Buffer[Bytes / sizeof(WCHAR)] = 0;
        if (Body->Name)
            ExpFree(Body->Name);
        Body->Name = Name;
    }
    CmpPathOf(Body->Key, Body->Name->Buffer);
    *ObjectName = Body->Name;
    return STATUS_SUCCESS;
}

/* docs: CmGetBoundTransaction. */
PVOID NTAPI CmGetBoundTransaction(PLARGE_INTEGER Cookie, PVOID Object)
{
    PCM_KEY_BODY Body = Object;
    if (!Object || ObpTypeOf(Object) != CmpKeyType || !Cookie || !CmpFindCallback(*Cookie) || !Body->Transaction)
        return NULL;
    return CmpTransactionObject(Body->Transaction);
}
