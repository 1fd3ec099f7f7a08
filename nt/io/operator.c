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

/* What a command may take when the host sets no limit: long waits are cheap, being busy is not. */
#define IOP_PATIENCE (2 * 36000000000ull) /* two hours of waiting */
#define IOP_BUSY 100000000ull             /* ten seconds of running */

static VOID IopLimit(struct door_command *Command, UINT64 Patience, PCSTR What)
{
    KiSetTimeLimit(Command->limit ? Command->limit : KiNow() + Patience, Patience - IOP_PATIENCE + IOP_BUSY, What);
}

static VOID IopCarryOut(struct door_command *Command)
{
    static CHAR What[96];
    PDRIVER_OBJECT Driver;
    switch (Command->code) {
    case DOOR_COMMAND_LOAD:
        RtlpFormat(What, sizeof(What), "DriverEntry of %s", Command->text);
        IopLimit(Command, IOP_PATIENCE, What);
        Command->status = IopLoadDriver(Command->text, &Driver);
        Command->value = Driver ? (UINT64)Driver->DriverStart : 0;
        break;
    case DOOR_COMMAND_UNLOAD:
        RtlpFormat(What, sizeof(What), "the unload routine of %s", *Command->text ? Command->text : "a driver");
        IopLimit(Command, IOP_PATIENCE, What);
        Command->status = IopUnloadDriver(Command->text);
        break;
    case DOOR_COMMAND_ADVANCE:
        IopLimit(Command, Command->value + IOP_PATIENCE, "a routine of a driver");
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
    KiSetTimeLimit(0, 0, NULL);
}

VOID IopOperator(PVOID Context)
{
    static struct door_command Command;
    for (;;) {
        KiDoor->operator_next(&Command);
        if (Command.code == DOOR_COMMAND_END)
            return;
        IopCarryOut(&Command);
    }
}
