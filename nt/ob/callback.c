/*
 * Drivers that are asked before a handle to a process or thread is made, and told afterwards.
 *
 * Before, each may take access away and never add some; after, each that asked for it learns how it went, in the
 * opposite order. They are called from the highest altitude down, at PASSIVE_LEVEL with normal kernel APCs held off, in
 * the thread that makes the handle. Unregistering waits until no call is on its way.
 * (docs: ObRegisterCallbacks, OB_PRE_OPERATION_INFORMATION, OB_POST_OPERATION_INFORMATION)
 */
#include "nt.h"

#define OBP_ENTRIES 8 /* operations in one registration */

typedef struct _OBP_REGISTRATION {
    LIST_ENTRY Entry; /* in ObpRegistrations, highest altitude first */
    UNICODE_STRING Altitude;
    PVOID Context;
    ULONG Stack, Count, Calls;
    BOOLEAN Leaving;
    KEVENT Idle; /* no call is on its way */
    OB_OPERATION_REGISTRATION Operation[];
} OBP_REGISTRATION, *POBP_REGISTRATION;

static LIST_ENTRY ObpRegistrations = {&ObpRegistrations, &ObpRegistrations};
static ULONG ObpRegistered;

/* ---- Altitudes --------------------------------------------------------------------------------------------------- */

static BOOLEAN ObpValidAltitude(PCUNICODE_STRING Text)
{
    ULONG Points = 0, Count = Text->Length / sizeof(WCHAR);
    for (ULONG i = 0; i < Count; i++)
        if (Text->Buffer[i] == L'.')
            Points++;
        else if (Text->Buffer[i] < L'0' || Text->Buffer[i] > L'9')
            return FALSE;
    return Count && Points <= 1;
}

/* Digits before the point (leading zeros do not count), then those behind it. */
static LONG ObpCompareAltitudes(PCUNICODE_STRING A, PCUNICODE_STRING B)
{
    ULONG Length[2], Whole[2], Start[2] = {0, 0};
    PCUNICODE_STRING Text[2] = {A, B};
    for (ULONG n = 0; n < 2; n++) {
        Length[n] = Text[n]->Length / sizeof(WCHAR);
        while (Start[n] < Length[n] && Text[n]->Buffer[Start[n]] == L'0')
            Start[n]++;
        Whole[n] = Start[n];
        while (Whole[n] < Length[n] && Text[n]->Buffer[Whole[n]] != L'.')
            Whole[n]++;
    }
    if (Whole[0] - Start[0] != Whole[1] - Start[1])
        return Whole[0] - Start[0] > Whole[1] - Start[1] ? 1 : -1;
    for (; Start[0] < Whole[0]; Start[0]++, Start[1]++)
        if (A->Buffer[Start[0]] != B->Buffer[Start[1]])
            return A->Buffer[Start[0]] > B->Buffer[Start[1]] ? 1 : -1;
    for (ULONG i = 1;; i++) {
        WCHAR a = Whole[0] + i < Length[0] ? A->Buffer[Whole[0] + i] : 0;
        WCHAR b = Whole[1] + i < Length[1] ? B->Buffer[Whole[1] + i] : 0;
        if (!a && !b)
            return 0;
        if ((a ? a : L'0') != (b ? b : L'0'))
            return (a ? a : L'0') > (b ? b : L'0') ? 1 : -1;
    }
}

/* ---- Registration ------------------------------------------------------------------------------------------------ */

/* Headers disagree about how many times the exported type variables are indirect; a type's first word leads to itself. */
static POBJECT_TYPE ObpTypeAsked(const OB_OPERATION_REGISTRATION *Operation)
{
    return Operation->ObjectType ? *(POBJECT_TYPE *)Operation->ObjectType : NULL;
}

static NTSTATUS ObpCheckRegistration(POB_CALLBACK_REGISTRATION Asked)
{
    if ((Asked->Version & 0xff00) != (OB_FLT_REGISTRATION_VERSION & 0xff00) || !Asked->OperationRegistrationCount ||
        Asked->OperationRegistrationCount > OBP_ENTRIES || !ObpValidAltitude(&Asked->Altitude))
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i < Asked->OperationRegistrationCount; i++) {
        POB_OPERATION_REGISTRATION Operation = &Asked->OperationRegistration[i];
        POBJECT_TYPE Type = ObpTypeAsked(Operation);
        if (!Operation->Operations ||
            (Operation->Operations & ~(OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE)) ||
            (!Operation->PreOperation && !Operation->PostOperation) || !Type || !Type->Init.ObjectCallbacks)
            return STATUS_INVALID_PARAMETER;
        /* docs: ObRegisterCallbacks: the callback routines must lie in a signed image (see --force-integrity). */
        if ((Operation->PreOperation && !MmVerifyCallbackFunction((PVOID)(ULONG_PTR)Operation->PreOperation)) ||
            (Operation->PostOperation && !MmVerifyCallbackFunction((PVOID)(ULONG_PTR)Operation->PostOperation)))
            return STATUS_ACCESS_DENIED;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI ObRegisterCallbacks(POB_CALLBACK_REGISTRATION Asked, PVOID *Handle)
{
    ULONG Stack = VfCaptureStack();
    *Handle = NULL;
    NTSTATUS Status = ObpCheckRegistration(Asked);
    if (!NT_SUCCESS(Status))
        return Status;
    PLIST_ENTRY Place = ObpRegistrations.Flink;
    for (; Place != &ObpRegistrations; Place = Place->Flink) {
        LONG Order =
            ObpCompareAltitudes(&CONTAINING_RECORD(Place, OBP_REGISTRATION, Entry)->Altitude, &Asked->Altitude);
        if (Order == 0)
            return STATUS_FLT_INSTANCE_ALTITUDE_COLLISION;
        if (Order < 0)
            break;
    }
    ULONG Operations = Asked->OperationRegistrationCount * sizeof(OB_OPERATION_REGISTRATION);
    POBP_REGISTRATION New = ExpTryAllocate(sizeof(*New) + Operations + Asked->Altitude.Length, 'lFbO');
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    New->Context = Asked->RegistrationContext;
    New->Stack = Stack;
    New->Count = Asked->OperationRegistrationCount;
    KeInitializeEvent(&New->Idle, NotificationEvent, FALSE);
    RtlCopyMemory(New->Operation, Asked->OperationRegistration, Operations);
    New->Altitude.Buffer = (PWSTR)&New->Operation[New->Count];
    New->Altitude.Length = New->Altitude.MaximumLength = Asked->Altitude.Length;
    RtlCopyMemory(New->Altitude.Buffer, Asked->Altitude.Buffer, Asked->Altitude.Length);
    InsertTailList(Place, &New->Entry); /* before Place */
    ObpRegistered++;
    PVOID Routine = (PVOID)(ULONG_PTR)(New->Operation[0].PreOperation ? (ULONG_PTR)New->Operation[0].PreOperation
                                                                      : (ULONG_PTR)New->Operation[0].PostOperation);
    VfTrack(New, sizeof(*New), VfCallbackObject, Routine, Stack);
    *Handle = New;
    return STATUS_SUCCESS;
}

VOID NTAPI ObUnRegisterCallbacks(PVOID Handle)
{
    POBP_REGISTRATION Own = Handle;
    Own->Leaving = TRUE;
    if (Own->Calls)
        KeWaitForSingleObject(&Own->Idle, Executive, KernelMode, FALSE, NULL);
    RemoveEntryList(&Own->Entry);
    ObpRegistered--;
    VfUntrack(Own, VfCallbackObject);
    ExpFree(Own);
}

USHORT NTAPI ObGetFilterVersion(VOID)
{
    return OB_FLT_REGISTRATION_VERSION;
}

/* ---- Calling ----------------------------------------------------------------------------------------------------- */

static const OB_OPERATION_REGISTRATION *ObpFindOperation(POBP_REGISTRATION Own, POBP_OPERATION Operation)
{
    for (ULONG i = 0; i < Own->Count; i++)
        if (ObpTypeAsked(&Own->Operation[i]) == ObpTypeOf(Operation->Body) &&
            (Own->Operation[i].Operations & Operation->Kind))
            return &Own->Operation[i];
    return NULL;
}

static VOID ObpCallEnds(POBP_REGISTRATION Own)
{
    if (--Own->Calls == 0 && Own->Leaving)
        KeSetEvent(&Own->Idle, IO_NO_INCREMENT, FALSE);
}

static VOID ObpEnter(VF_CALLBACK *Callback, POBP_REGISTRATION Own, BOOLEAN Post, PVOID Routine)
{
    *Callback = (VF_CALLBACK){.Contract = Post ? "POB_POST_OPERATION_CALLBACK" : "POB_PRE_OPERATION_CALLBACK",
                              .What = Post ? "told of a new handle" : "asked before a handle is made",
                              .Routine = Routine,
                              .Object = Routine,
                              .Stack = Own->Stack,
                              .StackText = "The callbacks were registered at:"};
    VfEnterCallback(Callback);
}

static VOID ObpCallPre(POBP_REGISTRATION Own, const OB_OPERATION_REGISTRATION *Asked, POBP_OPERATION Operation,
                       PVOID *Context)
{
    OB_PRE_OPERATION_PARAMETERS Parameters = {.DuplicateHandleInformation = {.DesiredAccess = Operation->Access,
                                                                             .OriginalDesiredAccess = Operation->Access,
                                                                             .SourceProcess = Operation->Source,
                                                                             .TargetProcess = Operation->Target}};
    OB_PRE_OPERATION_INFORMATION Information = {.Operation = Operation->Kind,
                                                .Object = Operation->Body,
                                                .ObjectType = ObpTypeOf(Operation->Body),
                                                .Parameters = &Parameters};
    VF_CALLBACK Callback;
    Information.KernelHandle = Operation->KernelHandle;
    ObpEnter(&Callback, Own, FALSE, (PVOID)(ULONG_PTR)Asked->PreOperation);
    Asked->PreOperation(Own->Context, &Information);
    VfLeaveCallback(&Callback);
    Operation->Access &= Parameters.CreateHandleInformation.DesiredAccess; /* less, never more */
    *Context = Information.CallContext;
}

VOID ObpCallBefore(POBP_OPERATION Operation)
{
    ULONG n = 0;
    Operation->Context = NULL;
    if (!ObpRegistered || !ObpTypeOf(Operation->Body)->Init.ObjectCallbacks || KeGetCurrentIrql() > APC_LEVEL)
        return;
    /* one slot for each registration there is now: whoever comes meanwhile is not asked, and not told */
    Operation->Context = ExpAllocate((2 * ObpRegistered + 1) * sizeof(PVOID), 'lFbO');
    KeEnterCriticalRegion();
    for (PLIST_ENTRY Entry = ObpRegistrations.Flink, Next; Entry != &ObpRegistrations; Entry = Next) {
        POBP_REGISTRATION Own = CONTAINING_RECORD(Entry, OBP_REGISTRATION, Entry);
        const OB_OPERATION_REGISTRATION *Asked = ObpFindOperation(Own, Operation);
        if (!Asked || Own->Leaving) {
            Next = Entry->Flink;
            continue;
        }
        Own->Calls++;
        PVOID Context = NULL;
        if (Asked->PreOperation)
            ObpCallPre(Own, Asked, Operation, &Context);
        Next = Entry->Flink;
        if (Asked->PostOperation) {
            Operation->Context[2 * n] = Own;
            Operation->Context[2 * n++ + 1] = Context;
        } else
            ObpCallEnds(Own);
    }
    KeLeaveCriticalRegion();
}

static VOID ObpCallPost(POBP_REGISTRATION Own, POBP_OPERATION Operation, PVOID Context, NTSTATUS Status)
{
    const OB_OPERATION_REGISTRATION *Asked = ObpFindOperation(Own, Operation);
    OB_POST_OPERATION_PARAMETERS Parameters = {.CreateHandleInformation.GrantedAccess =
                                                   NT_SUCCESS(Status) ? Operation->Access : 0};
    OB_POST_OPERATION_INFORMATION Information = {.Operation = Operation->Kind,
                                                 .Object = Operation->Body,
                                                 .ObjectType = ObpTypeOf(Operation->Body),
                                                 .CallContext = Context,
                                                 .ReturnStatus = Status,
                                                 .Parameters = &Parameters};
    VF_CALLBACK Callback;
    Information.KernelHandle = Operation->KernelHandle;
    ObpEnter(&Callback, Own, TRUE, (PVOID)(ULONG_PTR)Asked->PostOperation);
    Asked->PostOperation(Own->Context, &Information);
    VfLeaveCallback(&Callback);
    ObpCallEnds(Own);
}

VOID ObpCallAfter(POBP_OPERATION Operation, NTSTATUS Status)
{
    ULONG n = 0;
    if (!Operation->Context)
        return;
    KeEnterCriticalRegion();
    while (Operation->Context[2 * n])
        n++;
    while (n--)
        ObpCallPost(Operation->Context[2 * n], Operation, Operation->Context[2 * n + 1], Status);
    KeLeaveCriticalRegion();
    ExpFree(Operation->Context);
    Operation->Context = NULL;
}
