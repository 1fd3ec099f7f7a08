/*
 * Binding: what a checked driver's import table holds.
 *
 * For a routine of a kernel module it is a thunk of a few instructions: compare the level with the routine's row, count
 * down to the next delivery point, jump on. Both unusual ways go through VfThunkSlow (entry.S), which keeps every argument, to
 * VfThunkCheck. Kernel modules are bound directly: kernel code calling kernel code is not checked, which is also how Windows'
 * Driver Verifier works. What does not exist here gets a stub that names it when it is called.
 *
 * The thunks lie in one executable piece of the image range and are written through the linear view.
 */
#include "nt.h"

#define VF_THUNK_BYTES 112
#define VF_THUNK_PAGES 64

typedef struct _VF_THUNK {
    const VF_CONTRACT *Contract; /* NULL: a missing import */
    UINT64 Target;
    UINT64 Enter; /* where the thunk goes on behind its checks */
    PCSTR Name;   /* "module!name" of a missing one */
} VF_THUNK;

enum { VF_LEVEL_REASON, VF_BUDGET_REASON, VF_MISSING_REASON };

static VF_THUNK VfThunks[VF_THUNK_PAGES * DOOR_PAGE / VF_THUNK_BYTES];
static ULONG VfThunkCount;
static UINT64 VfThunkBase;   /* executable */
static PUCHAR VfThunkMemory; /* the same, writable */

VOID VfThunkSlow(VOID);
VOID VfReturnZero(VOID);
VOID KiKernelService(VOID);

VOID VfInitialize(VOID)
{
    UINT64 Physical = MiAllocatePages(VF_THUNK_PAGES);

    VfThunkBase = MiReserveImageSpace(VF_THUNK_PAGES * DOOR_PAGE);
    if (!Physical || !VfThunkBase ||
        KiDoor->map(VfThunkBase, Physical, VF_THUNK_PAGES * DOOR_PAGE, DOOR_READ | DOOR_EXECUTE) != DOOR_OK)
        KiInternalError("no memory for import thunks");
    VfThunkMemory = MiLinear(Physical);
}

const VF_CONTRACT *VfContractOf(PCSTR Name)
{
    ULONG Low = 0, High = VfContractCount;

    while (Low < High) {
        ULONG Middle = (Low + High) / 2;
        LONG Order = strcmp(Name, VfContracts[Middle].Name);
        if (!Order)
            return &VfContracts[Middle];
        if (Order < 0)
            High = Middle;
        else
            Low = Middle + 1;
    }
    return NULL;
}

PCSTR VfLevelName(KIRQL Irql)
{
    static const PCSTR Names[] = {"PASSIVE_LEVEL", "APC_LEVEL",   "DISPATCH_LEVEL", "DIRQL 3",   "DIRQL 4",  "DIRQL 5",
                                  "DIRQL 6",       "DIRQL 7",     "DIRQL 8",        "DIRQL 9",   "DIRQL 10", "DIRQL 11",
                                  "DIRQL 12",      "CLOCK_LEVEL", "IPI_LEVEL",      "HIGH_LEVEL"};

    return Irql <= HIGH_LEVEL ? Names[Irql] : "no IRQL";
}

/* ---- Code ------------------------------------------------------------------------------------------------------- */

static PUCHAR VfEmit(PUCHAR Code, const VOID *Bytes, ULONG Count)
{
    memcpy(Code, Bytes, Count);
    return Code + Count;
}

#define EMIT(...) (Code = VfEmit(Code, (const UCHAR[]){__VA_ARGS__}, sizeof((const UCHAR[]){__VA_ARGS__})))
#define BYTES4(Value) (UCHAR)(Value), (UCHAR)((Value) >> 8), (UCHAR)((Value) >> 16), (UCHAR)((Value) >> 24)

/* rel32 as seen from the executable view, for an operand that ends at Code + 4. */
static LONG VfRelative(PUCHAR Code, UINT64 Target)
{
    return (LONG)(Target - (VfThunkBase + (UINT64)(Code + 4 - VfThunkMemory)));
}

static PUCHAR VfEmitJump(PUCHAR Code, UINT64 Target)
{
    *Code++ = 0xe9;
    LONG Relative = VfRelative(Code, Target);
    return VfEmit(Code, &Relative, 4);
}

/* mov r10d, Number; mov eax, Reason (2 bytes: push/pop would need unwind data); jmp VfThunkSlow */
static PUCHAR VfEmitSlow(PUCHAR Code, ULONG Number, ULONG Reason)
{
    EMIT(0x41, 0xba, BYTES4(Number));
    EMIT(0xb8, BYTES4(Reason));
    return VfEmitJump(Code, (UINT64)VfThunkSlow);
}

/* The tightest maximum of a row: below it no condition needs to be looked at. */
static UCHAR VfTightMaximum(const VF_CONTRACT *Contract)
{
    UCHAR Maximum = Contract->Maximum;

    for (ULONG i = 0; i < Contract->ConditionCount; i++)
        if (Contract->Condition[i].Maximum < Maximum)
            Maximum = Contract->Condition[i].Maximum;
    return Maximum;
}

static VOID VfWriteThunk(ULONG Number, const VF_CONTRACT *Contract, UINT64 Target)
{
    PUCHAR Start = VfThunkMemory + Number * VF_THUNK_BYTES, Code = Start, Level = NULL, Budget, Minimum = NULL;

    if (VfTightMaximum(Contract) < HIGH_LEVEL) {
        EMIT(0x65, 0x80, 0x3c, 0x25, BYTES4(DOOR_PCR_IRQL), VfTightMaximum(Contract)); /* cmp byte gs:[irql], max */
        EMIT(0x77, 0);                                                                 /* ja slow */
        Level = Code;
    }
    if (Contract->Minimum) {
        EMIT(0x65, 0x80, 0x3c, 0x25, BYTES4(DOOR_PCR_IRQL), Contract->Minimum);
        EMIT(0x72, 0); /* jb slow */
        Minimum = Code;
    }
    EMIT(0x65, 0xff, 0x0c, 0x25, BYTES4(DOOR_PCR_BUDGET)); /* dec dword gs:[budget] */
    EMIT(0x74, 0);                                         /* jz deliver */
    Budget = Code;
    VfThunks[Number].Enter = VfThunkBase + (UINT64)(Code - VfThunkMemory);
    if (!strncmp(Contract->Name, "Zw", 2) && !KiDoor->dry_run) { /* a call of kernel mode, also on a user thread */
        EMIT(0x65, 0x48, 0x8b, 0x04, 0x25,
             BYTES4(FIELD_OFFSET(KI_PROCESSOR, CurrentThread)));                           /* mov rax, gs:[thread] */
        EMIT(0x80, 0xb8, BYTES4(FIELD_OFFSET(struct _KTHREAD, PreviousMode)), KernelMode); /* cmp byte [rax+mode], 0 */
        EMIT(0x74, 12);                                                                    /* je to the jump below */
        EMIT(0x4c, 0x8d, 0x1d);                                                            /* lea r11, target */
        LONG Relative = VfRelative(Code, Target);
        Code = VfEmit(Code, &Relative, 4);
        Code = VfEmitJump(Code, (UINT64)KiKernelService);
    }
    Code = VfEmitJump(Code, KiDoor->dry_run ? (UINT64)VfReturnZero : Target);
    if (Level || Minimum) {
        if (Level)
            Level[-1] = (UCHAR)(Code - Level);
        if (Minimum)
            Minimum[-1] = (UCHAR)(Code - Minimum);
        EMIT(0x31, 0xc0); /* xor eax, eax = VF_LEVEL_REASON */
        EMIT(0x41, 0xba, BYTES4(Number));
        Code = VfEmitJump(Code, (UINT64)VfThunkSlow);
    }
    Budget[-1] = (UCHAR)(Code - Budget);
    Code = VfEmitSlow(Code, Number, VF_BUDGET_REASON);
    KI_ASSERT(Code <= Start + VF_THUNK_BYTES);
}

/* ---- The slow ways ------------------------------------------------------------------------------------------------ */

static UINT64 VfArgument(const CONTEXT *Context, ULONG Number)
{
    switch (Number) {
    case 1:
        return Context->Rcx;
    case 2:
        return Context->Rdx;
    case 3:
        return Context->R8;
    case 4:
        return Context->R9;
    default: /* Context->Rsp is the stack pointer behind the return address: the home area begins there */
        return ((const UINT64 *)Context->Rsp)[Number - 1];
    }
}

/* Does the narrow format string Format print wide characters? That needs tables that are pageable on Windows. */
static BOOLEAN VfPrintsWide(PCSTR Format)
{
    for (; Format && *Format; Format++) {
        if (*Format != '%')
            continue;
        for (Format++; *Format && strchr("-+ #0123456789.*", *Format); Format++)
            ;
        if (*Format == 'S' || *Format == 'C')
            return TRUE;
        if ((*Format == 'w' || *Format == 'l') && strchr("scZ", Format[1]) && Format[1])
            return TRUE;
        if (!*Format)
            break;
    }
    return FALSE;
}

static BOOLEAN VfHolds(const VF_CONDITION *Condition, const CONTEXT *Context)
{
    UINT64 Value = VfArgument(Context, Condition->Argument);

    switch (Condition->Predicate) {
    case VfWaits: /* the wait that KeSetEvent(..., Wait = TRUE) announced may be made where that left the level */
        return !KeGetCurrentThread()->WaitNext && (!Value || ((PLARGE_INTEGER)Value)->QuadPart != 0);
    case VfTrue:
        return (UCHAR)Value != 0;
    case VfPagedPool:
        return (Value & 1) != 0; /* POOL_TYPE: odd ones are paged */
    case VfPoolFlags:
        return (Value & 0x100) != 0; /* POOL_FLAG_PAGED */
    case VfUserMode:
        return (UCHAR)Value == UserMode;
    case VfNotNull:
        return Value != 0;
    case VfWideFormat:
        return VfPrintsWide((PCSTR)Value);
    case VfPagedBlock:
        return Value >= DOOR_PAGED_BASE && Value < DOOR_STACK_BASE;
    default:
        return FALSE;
    }
}

static UINT64 VfThunkTarget(const VF_CONTRACT *Contract)
{
    for (ULONG i = 0; i < VfThunkCount; i++)
        if (VfThunks[i].Contract == Contract)
            return VfThunks[i].Target;
    return 0;
}

/* A driver has the thunk's address for the routine's: what asks where that lies means the routine. */
UINT64 VfRoutineAt(UINT64 Address)
{
    UINT64 Number = (Address - VfThunkBase) / VF_THUNK_BYTES;

    return Address >= VfThunkBase && Number < VfThunkCount && VfThunks[Number].Target ? VfThunks[Number].Target
                                                                                      : Address;
}

static VOID VfReportLevelOf(const VF_CONTRACT *Contract, const CONTEXT *Context, KIRQL Irql, BOOLEAN TooHigh)
{
    VfFinding(TooHigh ? "irql.call-too-high" : "irql.call-too-low", Contract->Stop,
              Contract->Stop == 0xC4 ? Contract->SubCode : (UINT64)VfThunkTarget(Contract), Irql,
              Contract->Stop == 0xC4 ? 0 : 8, Context->Rip);
    VfSubject(Contract->Name);
    VfText("%s called at %s", Contract->Name, VfLevelName(Irql));
    VfNoteCall(Context);
    VfNoteLevel();
    VfCommit();
}

static VOID VfCheckLevel(const VF_CONTRACT *Contract, const CONTEXT *Context)
{
    KIRQL Irql = KiReadCr8();
    UCHAR Maximum = Contract->Maximum;

    for (ULONG i = 0; Irql >= Contract->Minimum && Irql <= Contract->Maximum && i < Contract->ConditionCount; i++)
        if (Irql > Contract->Condition[i].Maximum && VfHolds(&Contract->Condition[i], Context))
            Maximum = Contract->Condition[i].Maximum;
    if (Irql > Maximum)
        VfReportLevelOf(Contract, Context, Irql, TRUE);
    else if (Irql < Contract->Minimum)
        VfReportLevelOf(Contract, Context, Irql, FALSE);
}

static VOID VfMissing(const VF_THUNK *Thunk, const CONTEXT *Context)
{
    VfRecord(DOOR_EVENT_MISSING, Thunk->Name, (ULONG)strlen(Thunk->Name));
    VfFinding("driver.missing-import", 0, 0, 0, 0, 0);
    VfSubject(Thunk->Name);
    VfText("%s is called, which does not exist here", Thunk->Name);
    VfNoteCall(Context);
    VfCommit();
    KiDoor->halt(DOOR_HALT_STOP, "a missing routine is called");
}

/* From VfThunkSlow. Returns where to go on. */
UINT64 VfThunkCheck(ULONG Number, ULONG Reason, CONTEXT *Context)
{
    const VF_THUNK *Thunk = &VfThunks[Number];

    if (Reason == VF_MISSING_REASON)
        VfMissing(Thunk, Context);
    if (Reason == VF_LEVEL_REASON)
        VfCheckLevel(Thunk->Contract, Context);
    if (Reason != VF_LEVEL_REASON || --KiProcessor()->Budget == 0) /* this way the thunk has not counted the call */
        KiDeliver();
    return Thunk->Enter;
}

/* ---- Binding ------------------------------------------------------------------------------------------------------- */

static ULONG VfNewThunk(VOID)
{
    if (VfThunkCount == RTL_NUMBER_OF(VfThunks))
        KiInternalError("too many import thunks");
    return VfThunkCount++;
}

static UINT64 VfBindContract(const VF_CONTRACT *Contract, UINT64 Target)
{
    ULONG Number;

    for (Number = 0; Number < VfThunkCount; Number++)
        if (VfThunks[Number].Contract == Contract)
            return VfThunkBase + Number * VF_THUNK_BYTES;
    Number = VfNewThunk();
    VfThunks[Number].Contract = Contract;
    VfThunks[Number].Target = Target;
    VfWriteThunk(Number, Contract, Target);
    return VfThunkBase + Number * VF_THUNK_BYTES;
}

static UINT64 VfBindMissing(const struct door_import *Import)
{
    CHAR Name[200];
    ULONG Length, Number;

    if (Import->name)
        Length = RtlpFormat(Name, sizeof(Name), "%s!%s", Import->module, Import->name);
    else
        Length = RtlpFormat(Name, sizeof(Name), "%s!#%u", Import->module, Import->ordinal);
    for (Number = 0; Number < VfThunkCount; Number++)
        if (VfThunks[Number].Name && !strcmp(VfThunks[Number].Name, Name))
            return VfThunkBase + Number * VF_THUNK_BYTES;
    Number = VfNewThunk();
    VfThunks[Number].Name = memcpy(ExpAllocate(Length + 1, 'miSV'), Name, Length + 1);
    VfEmitSlow(VfThunkMemory + Number * VF_THUNK_BYTES, Number, VF_MISSING_REASON);
    return VfThunkBase + Number * VF_THUNK_BYTES;
}

UINT64 DOOR_CALL VfBind(const struct door_import *Import)
{
    PMI_IMAGE Importer = MmImageOf(Import->importer), Exporter = MmImageOf(Import->exporter);
    const VF_CONTRACT *Contract;

    if (!Import->target)
        return VfBindMissing(Import);
    if (!Importer || !Importer->Driver || !Exporter || Exporter->Driver || !Import->name)
        return Import->target;
    Contract = VfContractOf(Import->name);
    return Contract ? VfBindContract(Contract, Import->target) : Import->target;
}

UINT64 VfBindAbsent(PCSTR Module, PCSTR Name)
{
    struct door_import Import = {.module = Module, .name = Name};

    return VfBindMissing(&Import);
}

UINT64 VfBindRoutine(PCSTR Name, UINT64 Target)
{
    const VF_CONTRACT *Contract = VfContractOf(Name);

    return Contract ? VfBindContract(Contract, Target) : Target;
}
