/*
 * Traps: what the processor raised becomes an NT exception, is answered here, or is a bug check.
 *
 * The host has laid a struct door_trap on the interrupted stack; returning continues its context. Page faults in pageable
 * memory are mm's. Exceptions go to the frames' handlers (rtl); unhandled ones are a bug check with Windows' code and
 * parameters. (docs: bug checks 0xA, 0x1E, 0x50, 0x7E, 0x7F, 0xD1, 0x139; Handling exceptions)
 */
#include "nt.h"

#define TRAP_CONTEXT(Trap) ((PCONTEXT)(Trap)->context)

/* Faults in memory that mm recognises: the rule that goes with its bug check. */
static const struct {
    ULONG Code;
    PCSTR Rule;
    PCSTR History;
} KiFaults[] = {
    {0xD5, "pool.use-after-free", "It was freed at:"},
    {0xD6, "pool.overrun", "It was allocated at:"},
    {0xCE, "memory.unloaded", ""},
    {0xFC, "memory.not-executable", "It was allocated at:"},
};

static VOID KiDescribeAccess(UINT64 Address, ULONG Error, PCSTR What)
{
    CHAR Where[96];

    if (What)
        RtlpFormat(Where, sizeof(Where), "%s", What);
    else if (Address < DOOR_USER_END)
        RtlpFormat(Where, sizeof(Where), "user address 0x%llx", Address);
    else
        RtlpFormat(Where, sizeof(Where), "address 0x%llx", Address);
    VfText("%s of %s at %s",
           (Error & 16)  ? "execution"
           : (Error & 2) ? "write"
                         : "read",
           Where, VfLevelName(KiReadCr8()));
}

/* A fault that nobody can repair and no handler may see. */
/* Where the driver's author would say it is: not in a stub of the patcher. */
static UINT64 KiOriginalRip(PCONTEXT Context)
{
    UINT64 Rip = Context->Rip, Unused = 0;

    MmUnpatch(&Rip, &Unused);
    return Rip;
}

/* What a touch at DISPATCH_LEVEL has broken: where there is no memory the level is beside the point. */
static PCSTR KiRuleAtDispatch(UINT64 Address, PCSTR What)
{
    if (What && (!strcmp(What, "the null page") || !strcmp(What, "no memory")))
        return "memory.invalid";
    return Address < DOOR_USER_END ? "memory.user-at-dispatch" : "memory.paged-at-dispatch";
}

static VOID KiFaultFinding(struct door_trap *Trap, PCSTR What, ULONG Stack)
{
    PCONTEXT Context = TRAP_CONTEXT(Trap);
    UINT64 Rip = KiOriginalRip(Context);
    KIRQL Irql = KiReadCr8();
    UINT64 Operation = (Trap->error & 16) ? 8 : (Trap->error & 2) ? 1 : 0;
    PMI_IMAGE Image = MmImageOf(Rip);
    PCSTR History = "It was allocated at:";
    ULONG i;

    for (i = 0; i < RTL_NUMBER_OF(KiFaults) && KiFaults[i].Code != MiFaultCode; i++)
        ;
    if (i < RTL_NUMBER_OF(KiFaults)) {
        VfFinding(KiFaults[i].Rule, KiFaults[i].Code, Trap->address, Operation, Rip, 0);
        History = KiFaults[i].History;
    } else if (What && !strncmp(What, "discarded", 9)) {
        VfFinding("memory.discarded", 0x50, Trap->address, Operation, Rip, 0);
    } else if (Irql >= DISPATCH_LEVEL && Operation == 8 && MmImageOf(Trap->address)) {
        /* DRIVER_PORTION_MUST_BE_NONPAGED */
        VfFinding("memory.code-paged", 0xD3, Trap->address, Irql, Operation, Rip);
    } else if (Irql >= DISPATCH_LEVEL) {
        VfFinding(KiRuleAtDispatch(Trap->address, What), Image && Image->Driver ? 0xD1 : 0x0A, Trap->address, Irql,
                  Operation, Rip);
    } else {
        VfFinding("memory.invalid", 0x50, Trap->address, Operation, Rip, 0);
    }
    KiDescribeAccess(Trap->address, Trap->error, What);
    VfNoteCaller(Context);
    if (Irql >= DISPATCH_LEVEL)
        VfNoteLevel();
    if (Stack)
        VfNote(DOOR_NOTE_OBJECT, Stack, NULL, NULL, "%s", History);
    VfCommit();
    VfContinueIsImpossible();
}

/* A driver's return instruction that faults, because what it takes for its caller is no address: *Target. */
static BOOLEAN KiBadReturn(PCONTEXT Context, PUINT64 Target)
{
    PMI_IMAGE Image = MmImageOf(Context->Rip);
    PUCHAR Code = (PUCHAR)Context->Rip;

    if (!Image || !Image->Driver || (Code[0] != 0xc3 && Code[0] != 0xc2 && (Code[0] != 0xf3 || Code[1] != 0xc3)))
        return FALSE;
    *Target = *(PUINT64)Context->Rsp;
    return *Target >> 47 != 0 && *Target >> 47 != 0x1ffff;
}

/* Behind a breakpoint a run that findings do not stop can go on. */
static BOOLEAN KiStepOver(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    if ((Record->ExceptionFlags & EXCEPTION_NONCONTINUABLE) || *(PUCHAR)Context->Rip != 0xcc)
        return FALSE;
    Context->Rip++;
    return TRUE;
}

static VOID KiUnhandled(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    UINT64 Target = 0;
    BOOLEAN InThread = !KiProcessor()->DpcRoutineActive && KiReadCr8() < DISPATCH_LEVEL;
    BOOLEAN Access = Record->ExceptionCode == STATUS_ACCESS_VIOLATION && Record->NumberParameters >= 2;
    PEPROCESS Owner = Access && Record->ExceptionInformation[1] < DOOR_USER_END
                          ? MmOtherOwner(Record->ExceptionInformation[1])
                          : NULL;

    BOOLEAN Return = Access && KiBadReturn(Context, &Target);
    BOOLEAN Break = Record->ExceptionCode == STATUS_BREAKPOINT;
    PCSTR Rule = Owner    ? "memory.user-of-another-process"
                 : Return ? "driver.stack-overwritten"
                 : Break  ? "driver.breakpoint"
                          : "driver.exception";

    if (InThread)
        VfFinding(Rule, 0x7E, (UINT64)(ULONG)Record->ExceptionCode | 0xffffffff00000000ull,
                  (UINT64)Record->ExceptionAddress, (UINT64)Record, (UINT64)Context);
    else
        VfFinding(Rule, 0x1E, (UINT64)(ULONG)Record->ExceptionCode | 0xffffffff00000000ull,
                  (UINT64)Record->ExceptionAddress, Record->ExceptionInformation[0], Record->ExceptionInformation[1]);
    if (Owner)
        VfText("%s of 0x%llx, user memory of process %u (%s), in the context of process %u (%s)",
               Record->ExceptionInformation[0] ? "write" : "read", Record->ExceptionInformation[1],
               (ULONG)(UINT64)Owner->UniqueProcessId, Owner->ImageFileName,
               (ULONG)(UINT64)PspCurrentProcess()->UniqueProcessId, PspCurrentProcess()->ImageFileName);
    else if (Return)
        VfText("the routine returns to 0x%llx: its return address was overwritten", Target);
    else if (Access)
        VfText("unhandled access violation: %s of 0x%llx",
               Record->ExceptionInformation[0] == 8 ? "execution"
               : Record->ExceptionInformation[0]    ? "write"
                                                    : "read",
               Record->ExceptionInformation[1]);
    else if (Break)
        VfText("a breakpoint, and no debugger is there to take it");
    else
        VfText("unhandled exception 0x%08x", Record->ExceptionCode);
    VfNoteCaller(Context);
    if (!InThread)
        VfNoteLevel();
    VfCommit();
    if (Break && KiStepOver(Record, Context))
        return;
    VfContinueIsImpossible();
}

VOID KiDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    if (!RtlpDispatchException(Record, Context))
        KiUnhandled(Record, Context);
}

static VOID KiRaiseTrap(struct door_trap *Trap, NTSTATUS Code, ULONG Count, UINT64 P0, UINT64 P1)
{
    PCONTEXT Context = TRAP_CONTEXT(Trap);
    EXCEPTION_RECORD Record = {0};

    Record.ExceptionCode = Code;
    Record.ExceptionAddress = (PVOID)Context->Rip;
    Record.NumberParameters = Count;
    Record.ExceptionInformation[0] = P0;
    Record.ExceptionInformation[1] = P1;
    KiDispatchException(&Record, Context);
}

static VOID KiPageFault(struct door_trap *Trap)
{
    PCSTR What = NULL;
    ULONG Stack = 0;
    KIRQL Irql = KiReadCr8();
    UINT64 Operation = (Trap->error & 16) ? 8 : (Trap->error & 2) ? 1 : 0;

    if (MmAccessFault(Trap->address, Trap->error, Irql, &What, &Stack))
        return;
    /* A bad user address below DISPATCH_LEVEL is an exception that the driver may handle; a bad kernel address never is. */
    if (Irql < DISPATCH_LEVEL && Trap->address < DOOR_KERNEL_BASE)
        KiRaiseTrap(Trap, Trap->address < DOOR_USER_END ? MiFaultStatus : STATUS_ACCESS_VIOLATION, 2, Operation,
                    Trap->address);
    else
        KiFaultFinding(Trap, What, Stack);
}

static VOID KiSimpleFinding(struct door_trap *Trap, PCSTR Rule, ULONG Code, UINT64 P1, PCSTR Text)
{
    VfFinding(Rule, Code, P1, 0, TRAP_CONTEXT(Trap)->Rip, 0);
    VfText("%s", Text);
    VfNoteCaller(TRAP_CONTEXT(Trap));
    VfNoteLevel();
    VfCommit();
    VfContinueIsImpossible();
}

static VOID KiFastFail(struct door_trap *Trap)
{
    VfFinding("driver.fast-fail", 0x139, TRAP_CONTEXT(Trap)->Rcx, 0, 0, 0);
    VfText("the driver found its own data corrupted (__fastfail %llu)", TRAP_CONTEXT(Trap)->Rcx);
    VfNoteCaller(TRAP_CONTEXT(Trap));
    VfCommit();
    VfContinueIsImpossible();
}

/* Instructions that the host could not answer alone. */
static VOID KiTrappedInstruction(struct door_trap *Trap)
{
    switch (Trap->vector) {
    case DOOR_TRAP_WRITE_CR8:
        KiSetCr8(Trap->address, TRAP_CONTEXT(Trap)->Rip, TRAP_CONTEXT(Trap));
        break;
    case DOOR_TRAP_ENABLE_INTERRUPTS:
        KiProcessor()->InterruptFlag = 1;
        KiDispatchPending();
        break;
    case DOOR_TRAP_DEVICE: /* no sign of life: a driver may ask a device for ever */
        KiSpendTime(0);
        KiDispatchPending();
        break;
    default: /* hlt, pause: others may go on */
        KiDeliver();
        break;
    }
}

VOID KiTrapDispatch(struct door_trap *Trap)
{
    switch (Trap->vector) {
    case DOOR_TRAP_PAGE_FAULT:
        KiPageFault(Trap);
        break;
    case DOOR_TRAP_DIVIDE:
        KiRaiseTrap(Trap, STATUS_INTEGER_DIVIDE_BY_ZERO, 0, 0, 0);
        break;
    case DOOR_TRAP_DEBUG:
        KiRaiseTrap(Trap, STATUS_SINGLE_STEP, 0, 0, 0);
        break;
    case DOOR_TRAP_BREAKPOINT:
        KiRaiseTrap(Trap, STATUS_BREAKPOINT, 1, 0, 0);
        break;
    case DOOR_TRAP_OVERFLOW:
        KiRaiseTrap(Trap, STATUS_INTEGER_OVERFLOW, 0, 0, 0);
        break;
    case DOOR_TRAP_INVALID_OPCODE:
        KiRaiseTrap(Trap, STATUS_ILLEGAL_INSTRUCTION, 0, 0, 0);
        break;
    case DOOR_TRAP_PROTECTION:
        KiRaiseTrap(Trap, STATUS_ACCESS_VIOLATION, 2, 0, Trap->address ? Trap->address : (UINT64)-1);
        break;
    case DOOR_TRAP_ALIGNMENT:
        KiRaiseTrap(Trap, STATUS_DATATYPE_MISALIGNMENT, 0, 0, 0);
        break;
    case DOOR_TRAP_FLOAT:
    case DOOR_TRAP_SIMD:
        KiRaiseTrap(Trap, Trap->vector == DOOR_TRAP_SIMD ? STATUS_FLOAT_MULTIPLE_TRAPS : STATUS_FLOAT_INVALID_OPERATION,
                    0, 0, 0);
        break;
    case DOOR_TRAP_ASSERT:
        KiRaiseTrap(Trap, STATUS_ASSERTION_FAILURE, 0, 0, 0);
        break;
    case DOOR_TRAP_DEBUG_SERVICE:
        KiRaiseTrap(Trap, STATUS_BREAKPOINT, 1, TRAP_CONTEXT(Trap)->Rax, 0);
        break;
    case DOOR_TRAP_STACK_OVERFLOW:
        KiSimpleFinding(Trap, "driver.stack-overflow", 0x7F, 8, "the driver used up its 24 KiB of kernel stack");
        break;
    case DOOR_TRAP_FAST_FAIL:
        KiFastFail(Trap);
        break;
    case DOOR_TRAP_SYSTEM_CALL:
        KiSimpleFinding(Trap, "driver.system-call", 0x1E, 0, "the driver made a system call of the host");
        break;
    case DOOR_TRAP_WATCHDOG:
        KiSimpleFinding(Trap, "driver.spins", 0x133, 0,
                        "the driver runs in a loop that never lets anything else happen");
        break;
    default:
        KiTrappedInstruction(Trap);
        break;
    }
}
