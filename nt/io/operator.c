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

static VOID IopCarryOut(struct door_command *Command)
{
    static CHAR What[96];
    PDRIVER_OBJECT Driver;
    switch (Command->code) {
    case DOOR_COMMAND_LOAD:
        RtlpFormat(What, sizeof(What), "DriverEntry of %s", Command->text);
        KiSetTimeLimit(Command->limit, What);
        Command->status = IopLoadDriver(Command->text, &Driver);
        Command->value = Driver ? (UINT64)Driver->DriverStart : 0;
        break;
    case DOOR_COMMAND_UNLOAD:
        RtlpFormat(What, sizeof(What), "the unload routine of %s", *Command->text ? Command->text : "a driver");
        KiSetTimeLimit(Command->limit, What);
        Command->status = IopUnloadDriver(Command->text);
        break;
    case DOOR_COMMAND_ADVANCE:
        IopAdvance(Command->value);
        Command->status = STATUS_SUCCESS;
        break;
    case DOOR_COMMAND_SCHEDULE:
        KiBeginSchedule();
        Command->status = STATUS_SUCCESS;
        break;
    default:
        Command->status = STATUS_INVALID_PARAMETER;
    }
    KiSetTimeLimit(0, NULL);
}

VOID IopOperator(PVOID Context)
{
    static struct door_command Command;
    for (;;) {
        KiDoor->operator_next(&Command);
        if (Command.code == DOOR_COMMAND_END) {
            IopShutdown();
            return;
        }
        IopCarryOut(&Command);
    }
}
