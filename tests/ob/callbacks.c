/*
 * Callbacks on handles of processes and threads: who may register, who is called in which order at which level, and
 * that access is taken away. (docs: ObRegisterCallbacks, ObUnRegisterCallbacks, OB_PRE_OPERATION_INFORMATION)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwDuplicateObject(HANDLE SourceProcess, HANDLE Source, HANDLE TargetProcess, PHANDLE Target,
                                          ACCESS_MASK Access, ULONG Attributes, ULONG Options);

#define TERMINATE 0x1 /* PROCESS_TERMINATE, THREAD_TERMINATE */
#define VM_WRITE 0x20

static CHAR Log[32];
static ULONG Logged;
static OB_PRE_OPERATION_INFORMATION Pre;
static OB_PRE_DUPLICATE_HANDLE_INFORMATION Parameters;
static OB_POST_OPERATION_INFORMATION Post;
static ACCESS_MASK Granted;
static ACCESS_MASK Take, Add;
static BOOLEAN ApcsOff;

static VOID Say(PVOID Context, CHAR What)
{
    if (Logged < sizeof(Log) - 2) {
        Log[Logged++] = *(PCHAR)Context;
        Log[Logged++] = What;
    }
    CHECK(KeGetCurrentIrql() == PASSIVE_LEVEL);
    ApcsOff = KeAreApcsDisabled();
}

static OB_PREOP_CALLBACK_STATUS NTAPI Before(PVOID Context, POB_PRE_OPERATION_INFORMATION Information)
{
    Say(Context, '-');
    Pre = *Information;
    Parameters = Information->Parameters->DuplicateHandleInformation;
    Information->Parameters->CreateHandleInformation.DesiredAccess &= ~Take;
    Information->Parameters->CreateHandleInformation.DesiredAccess |= Add;
    Information->CallContext = Context;
    return OB_PREOP_SUCCESS;
}

static VOID NTAPI After(PVOID Context, POB_POST_OPERATION_INFORMATION Information)
{
    Say(Context, '+');
    Post = *Information;
    Granted = Information->Parameters->CreateHandleInformation.GrantedAccess;
}

static NTSTATUS Register(PCWSTR Altitude, PCSTR Name, ULONG Operations, PVOID *Handle)
{
    OB_OPERATION_REGISTRATION Operation[2] = {{PsProcessType, Operations, Before, After},
                                              {PsThreadType, Operations, Before, After}};
    OB_CALLBACK_REGISTRATION Asked = {.Version = OB_FLT_REGISTRATION_VERSION,
                                      .OperationRegistrationCount = 2,
                                      .RegistrationContext = (PVOID)Name,
                                      .OperationRegistration = Operation};
    RtlInitUnicodeString(&Asked.Altitude, Altitude);
    return ObRegisterCallbacks(&Asked, Handle);
}

static ACCESS_MASK AccessOf(HANDLE Handle)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Information;
    ULONG Returned;
    OK(ZwQueryObject(Handle, ObjectBasicInformation, &Information, sizeof(Information), &Returned));
    return Information.GrantedAccess;
}

static VOID wrong_registrations_are_refused(VOID)
{
    OB_OPERATION_REGISTRATION Operation = {PsProcessType, OB_OPERATION_HANDLE_CREATE, Before, NULL};
    OB_CALLBACK_REGISTRATION Asked = {
        .Version = 0x0200, .OperationRegistrationCount = 1, .OperationRegistration = &Operation};
    PVOID Handle;
    RtlInitUnicodeString(&Asked.Altitude, L"1000");
    STATUS(ObRegisterCallbacks(&Asked, &Handle), STATUS_INVALID_PARAMETER);
    Asked.Version = OB_FLT_REGISTRATION_VERSION;
    Asked.OperationRegistrationCount = 0;
    STATUS(ObRegisterCallbacks(&Asked, &Handle), STATUS_INVALID_PARAMETER);
    Asked.OperationRegistrationCount = 1;
    Operation.Operations = 0;
    STATUS(ObRegisterCallbacks(&Asked, &Handle), STATUS_INVALID_PARAMETER);
    Operation.Operations = OB_OPERATION_HANDLE_CREATE;
    Operation.PreOperation = NULL;
    STATUS(ObRegisterCallbacks(&Asked, &Handle), STATUS_INVALID_PARAMETER);
    Operation.PreOperation = Before;
    Operation.ObjectType = ExEventObjectType; /* a type that allows none */
    STATUS(ObRegisterCallbacks(&Asked, &Handle), STATUS_INVALID_PARAMETER);
    Operation.ObjectType = PsProcessType;
    RtlInitUnicodeString(&Asked.Altitude, L"high");
    STATUS(ObRegisterCallbacks(&Asked, &Handle), STATUS_INVALID_PARAMETER);
    CHECK(ObGetFilterVersion() == OB_FLT_REGISTRATION_VERSION);
}

static VOID altitudes_collide_and_order(VOID)
{
    PVOID Low, High, Middle, None = NULL;
    HANDLE Process;
    OK(Register(L"1000", "L", OB_OPERATION_HANDLE_CREATE, &Low));
    OK(Register(L"20000", "H", OB_OPERATION_HANDLE_CREATE, &High));
    OK(Register(L"1000.5", "M", OB_OPERATION_HANDLE_CREATE, &Middle));
    STATUS(Register(L"01000.50", "X", OB_OPERATION_HANDLE_CREATE, &None), STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    CHECK(None == NULL);
    Logged = 0;
    OK(ObOpenObjectByPointer(PsInitialSystemProcess, OBJ_KERNEL_HANDLE, NULL, TERMINATE, *PsProcessType, KernelMode,
                             &Process));
    CHECK(Logged == 12 && !memcmp(Log, "H-M-L-L+M+H+", 12));
    CHECK(ApcsOff);
    CHECK(Pre.Operation == OB_OPERATION_HANDLE_CREATE && Pre.Object == PsInitialSystemProcess && Pre.KernelHandle);
    CHECK(Pre.ObjectType == *PsProcessType && Parameters.OriginalDesiredAccess == TERMINATE);
    CHECK(Post.CallContext && *(PCHAR)Post.CallContext == 'H' && Post.ReturnStatus == STATUS_SUCCESS);
    CHECK(Granted == TERMINATE);
    OK(ZwClose(Process));
    ObUnRegisterCallbacks(Middle);
    ObUnRegisterCallbacks(High);
    ObUnRegisterCallbacks(Low);
    Logged = 0;
    OK(ObOpenObjectByPointer(PsInitialSystemProcess, 0, NULL, TERMINATE, *PsProcessType, KernelMode, &Process));
    CHECK(Logged == 0);
    OK(ZwClose(Process));
}

static VOID access_is_taken_and_never_given(VOID)
{
    HANDLE Process, Thread, Copy;
    PVOID Handle;
    OK(Register(L"321000", "A", OB_OPERATION_HANDLE_CREATE | OB_OPERATION_HANDLE_DUPLICATE, &Handle));
    Take = TERMINATE;
    Add = 0x400;
    OK(ObOpenObjectByPointer(PsInitialSystemProcess, 0, NULL, TERMINATE | VM_WRITE, *PsProcessType, KernelMode,
                             &Process));
    CHECK(AccessOf(Process) == VM_WRITE);
    CHECK(Granted == VM_WRITE && !Pre.KernelHandle);
    OK(ObOpenObjectByPointer(KeGetCurrentThread(), OBJ_KERNEL_HANDLE, NULL, TERMINATE | SYNCHRONIZE, *PsThreadType,
                             KernelMode, &Thread));
    CHECK(Pre.Object == KeGetCurrentThread() && AccessOf(Thread) == SYNCHRONIZE);
    Take = VM_WRITE;
    Add = 0;
    Logged = 0;
    OK(ZwDuplicateObject(ZwCurrentProcess(), Process, ZwCurrentProcess(), &Copy, 0, 0, DUPLICATE_SAME_ACCESS));
    CHECK(Logged == 4 && Pre.Operation == OB_OPERATION_HANDLE_DUPLICATE);
    CHECK(Parameters.SourceProcess == PsInitialSystemProcess && Parameters.TargetProcess == PsInitialSystemProcess);
    CHECK(AccessOf(Copy) == 0);
    OK(ZwClose(Copy));
    OK(ZwClose(Thread));
    OK(ZwClose(Process));
    ObUnRegisterCallbacks(Handle);
}

TEST_MAIN(wrong_registrations_are_refused, altitudes_collide_and_order, access_is_taken_and_never_given)
