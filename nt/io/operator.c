/*
 * The operator's commands, carried out by the machine's first thread (door.h: struct door_command).
 */
#include "nt.h"

static VOID IopAdvance(UINT64 Duration)
{
    LARGE_INTEGER Interval = {.QuadPart = -(LONGLONG)Duration};
    if (Duration)
        KeDelayExecutionThread(KernelMode, FALSE, &Interval);
}

static VOID IopTellCallback(PCWSTR Name, PVOID Argument1, PVOID Argument2)
{
    OBJECT_ATTRIBUTES Attributes;
    PCALLBACK_OBJECT Object;
    UNICODE_STRING Path;

    RtlInitUnicodeString(&Path, Name);
    InitializeObjectAttributes(&Attributes, &Path, OBJ_CASE_INSENSITIVE, NULL, NULL);
    if (!NT_SUCCESS(ExCreateCallback(&Object, &Attributes, FALSE, FALSE)))
        return;
    ExNotifyCallback(Object, Argument1, Argument2);
    ObDereferenceObject(Object);
}

/* docs: ExCreateCallback: \\Callback\\SetSystemTime is notified when the system time changes; the arguments point to the old
 * time and the new one, as is known of it. */
static UINT64 IopSetTime(INT64 Time)
{
    LARGE_INTEGER New = {.QuadPart = Time}, Old = {.QuadPart = KiSetSystemTime(Time)};
    IopTellCallback(L"\\Callback\\SetSystemTime", &Old, &New);
    return (UINT64)Old.QuadPart;
}

/* What RtlTimeToTimeFields can tell: up to the year 30827. */
#define IOP_LATEST 0x7fff35f4f06c58f0

NTSTATUS NTAPI NtSetSystemTime(PLARGE_INTEGER NewTime, PLARGE_INTEGER OldTime)
{
    if (!SepHasPrivilege(SE_SYSTEMTIME_PRIVILEGE, ExGetPreviousMode()))
        return STATUS_PRIVILEGE_NOT_HELD;
    if (!NewTime || NewTime->QuadPart < 0 || NewTime->QuadPart > IOP_LATEST)
        return STATUS_INVALID_PARAMETER;
    UINT64 Old = IopSetTime(NewTime->QuadPart);
    if (OldTime)
        OldTime->QuadPart = (LONGLONG)Old;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI NtQuerySystemTime(PLARGE_INTEGER Time)
{
    if (!Time)
        return STATUS_ACCESS_VIOLATION;
    KiExportKeQuerySystemTime(Time);
    return STATUS_SUCCESS;
}

VOID PopTellPowerState(ULONG_PTR Event, ULONG_PTR Value)
{
    IopTellCallback(L"\\Callback\\PowerState", (PVOID)Event, (PVOID)Value);
}

static NTSTATUS IopFire(UINT64 Processor, ULONG Source)
{
    return Processor < DOOR_PROCESSORS && KiFire((ULONG)Processor, Source) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

/* The interrupt comes to processor 0, at POWER_LEVEL; drivers are told when it has been handled. */
static NTSTATUS IopPower(UINT64 Mains)
{
    if (Mains > 1)
        return STATUS_INVALID_PARAMETER;
    KiMains = (BOOLEAN)Mains;
    KiProcessorBlock(0)->IpiRequests |= KI_IPI_POWER;
    KiFire(0, POWER_LEVEL);
    KeWaitForSingleObject(&KiPowerEvent, Executive, KernelMode, FALSE, NULL);
    PopTellPowerState(PO_CB_AC_STATUS, Mains);
    PopSetSetting("source", Mains ? 0 : 1);
    return STATUS_SUCCESS;
}

static NTSTATUS IopAddProcessor(struct door_command *Command)
{
    NTSTATUS Status = KiAddProcessor();

    Command->value = KiDoor->processors;
    if (NT_SUCCESS(Status))
        IopTellCallback(L"\\Callback\\ProcessorAdd", (PVOID)(Command->value - 1), NULL);
    return Status;
}

/* What a command may take when the host sets no limit: long waits are cheap, being busy is not. */
#define IOP_PATIENCE (2 * 36000000000ull) /* two hours of waiting */
#define IOP_BUSY 10000000ull              /* a second of running: 100 million calls, seconds of the host's time */

/* Passing: virtual time that is to pass by the command itself; a sixteenth of it the drivers may be busy. */
static VOID IopLimit(struct door_command *Command, UINT64 Passing, PCSTR What)
{
    UINT64 Limit = Command->limit ? Command->limit : Passing + IOP_PATIENCE;

    KiSetTimeLimit(KiNow() + Limit, IOP_BUSY + Passing / 16, What);
}

static VOID IopCallUser(struct door_command *Command);
static VOID IopServe(struct door_command *Command);

/* What the operator does before and while he loads the first drivers. */
static BOOLEAN IopBelongsToStart(ULONG Code)
{
    return Code == DOOR_COMMAND_LOAD || Code == DOOR_COMMAND_REGISTRY || Code == DOOR_COMMAND_REGISTRY_ANSWER ||
           Code == DOOR_COMMAND_DEVICE;
}

static VOID IopCarryOut(struct door_command *Command)
{
    static CHAR What[96];
    PDRIVER_OBJECT Driver;
    if (!IopBelongsToStart(Command->code)) {
        IopLimit(Command, 0, "a boot driver callback");
        IopEndBoot();
    }
    switch (Command->code) {
    case DOOR_COMMAND_LOAD:
        RtlpFormat(What, sizeof(What), "DriverEntry of %s", Command->text);
        IopLimit(Command, 0, What);
        Command->status = IopLoadDriver(Command->text, &Driver);
        Command->value = Driver ? (UINT64)Driver->DriverStart : 0;
        break;
    case DOOR_COMMAND_UNLOAD:
        RtlpFormat(What, sizeof(What), "the unload routine of %s", *Command->text ? Command->text : "a driver");
        IopLimit(Command, 0, What);
        if (!*Command->text)
            PspEndProcesses();
        Command->status = IopUnloadDriver(Command->text);
        break;
    case DOOR_COMMAND_ADVANCE:
        IopLimit(Command, Command->value, "a routine of a driver");
        IopAdvance(Command->value);
        Command->status = STATUS_SUCCESS;
        break;
    case DOOR_COMMAND_SCHEDULE:
        KiBeginSchedule();
        Command->status = STATUS_SUCCESS;
        break;
    case DOOR_COMMAND_TIME:
        Command->status = Command->value > IOP_LATEST ? STATUS_INVALID_PARAMETER : STATUS_SUCCESS;
        if (Command->status == STATUS_SUCCESS)
            Command->value = IopSetTime((INT64)Command->value);
        break;
    case DOOR_COMMAND_NMI:
        Command->status = IopFire(Command->value, KI_SOURCE_NMI);
        break;
    case DOOR_COMMAND_MACHINE_CHECK:
        Command->status = IopFire(Command->value, KI_SOURCE_MACHINE_CHECK);
        break;
    case DOOR_COMMAND_PROFILE_TICK:
        Command->status = IopFire(Command->value, PROFILE_LEVEL);
        break;
    case DOOR_COMMAND_POWER:
        Command->status = IopPower(Command->value);
        break;
    case DOOR_COMMAND_DEVICE:
        RtlpFormat(What, sizeof(What), "a request to device %s", Command->text);
        IopLimit(Command, 0, What);
        Command->status = PnpOperate(Command);
        break;
    case DOOR_COMMAND_SYSTEM_POWER:
        IopLimit(Command, 0, "a system power request");
        Command->status = PopTransition((SYSTEM_POWER_STATE)Command->value);
        break;
    case DOOR_COMMAND_POWER_SETTING:
        IopLimit(Command, 0, "a power setting callback");
        Command->status = PopSetSetting(Command->text, (ULONG)Command->value);
        break;
    case DOOR_COMMAND_SESSION:
        IopLimit(Command, 0, "a session notification");
        Command->status = IopSessionEvent(Command->text, (ULONG)Command->value);
        break;
    case DOOR_COMMAND_ADD_PROCESSOR:
        Command->status = IopAddProcessor(Command);
        break;
    case DOOR_COMMAND_CALL:
    case DOOR_COMMAND_POST:
        IopCallUser(Command);
        break;
    case DOOR_COMMAND_SERVE:
        IopServe(Command);
        break;
    case DOOR_COMMAND_TEST:
        RtlpFormat(What, sizeof(What), "the test %s", Command->text);
        IopLimit(Command, 0, What);
        Command->status = IopRunTest(Command->text);
        break;
    case DOOR_COMMAND_REGISTRY:
    case DOOR_COMMAND_REGISTRY_ANSWER:
        CmpCommand(Command);
        break;
    default:
        Command->status = STATUS_INVALID_PARAMETER;
    }
    KiSetTimeLimit(0, 0, NULL);
}

/* ---- User mode ------------------------------------------------------------------------------------------------------
 */

#define IOP_ANY_CALL (DOOR_CALLS + DOOR_GUESTS)

/* Let the machine run until Index (or IOP_ANY_CALL) is done or Time has passed. This thread runs when no other can. */
static BOOLEAN IopAwait(UINT64 Index, UINT64 Time)
{
    LARGE_INTEGER End = {.QuadPart = KiSystemTime() + (INT64)(Time ? Time : 1)};
    KPRIORITY Own = KeSetPriorityThread(KeGetCurrentThread(), 1);
    NTSTATUS Status = STATUS_SUCCESS;

    KiSetPatience(KeGetCurrentThread(), Index < IOP_ANY_CALL);
    while (NT_SUCCESS(Status) && Status != STATUS_TIMEOUT && !(Index < IOP_ANY_CALL && PspCallIsDone((ULONG)Index))) {
        Status = KeWaitForSingleObject(&PspCallDone, Executive, KernelMode, FALSE, &End);
        if (Index == IOP_ANY_CALL)
            break;
    }
    KiSetPatience(KeGetCurrentThread(), FALSE);
    KeSetPriorityThread(KeGetCurrentThread(), Own);
    return Status != STATUS_TIMEOUT;
}

#define IOP_CALL_PATIENCE 600000000ull /* a minute */

static VOID IopCallUser(struct door_command *Command)
{
    UINT64 Index = Command->value;

    if (Index >= IOP_ANY_CALL || KiDoor->user->call[Index].state != DOOR_CALL_POSTED) {
        Command->status = STATUS_INVALID_PARAMETER;
        return;
    }
    KiSetTimeLimit(KiNow() + IOP_PATIENCE, IOP_BUSY, "a routine of a driver");
    PspPostCall((ULONG)Index);
    Command->status = STATUS_SUCCESS;
    if (Command->code == DOOR_COMMAND_CALL && !PspCallIsDone((ULONG)Index) &&
        !IopAwait(Index, Command->limit ? Command->limit : IOP_CALL_PATIENCE))
        Command->status = STATUS_TIMEOUT;
    PspTakeDone();
}

static VOID IopServe(struct door_command *Command)
{
    KiSetTimeLimit(KiNow() + Command->value + IOP_PATIENCE, IOP_BUSY + Command->value / 16, "a routine of a driver");
    IopAwait(IOP_ANY_CALL, Command->value);
    Command->value = PspTakeDone();
    Command->status = STATUS_SUCCESS;
}

VOID IopOperator(PVOID Context)
{
    static struct door_command Command;
    for (;;) {
        KiDoor->operator_next(&Command);
        if (Command.code == DOOR_COMMAND_END) {
            PspEndProcesses();
            PopTransition(PowerSystemShutdown);
            return;
        }
        IopCarryOut(&Command);
    }
}
