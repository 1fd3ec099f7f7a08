/*
 * The unwinder: from a function's registers to those of its caller, by the tables of the image.
 *
 * A frame is undone by running the unwind codes of the prologue backwards, beginning with those already carried out at
 * the place; of chained tables all, innermost first. Inside an epilogue, which has no codes, the remaining instructions
 * are carried out instead; only code that was interrupted can stand there, since epilogues do not call. Version 2
 * tables describe epilogues by codes of their own, which are stepped over: the instructions say the same.
 *
 * Everything is read with care. Tables and code come through the linear view of RAM, so a closed PAGE section does not
 * matter, and every rva is checked against the image; the stack is read inside the bounds the caller gives only. A
 * driver's broken table or a ruined stack therefore ends a walk and never faults.
 */
#include "nt.h"
#include "rtl/unwind.h"

enum {
    UWOP_PUSH_NONVOL,
    UWOP_ALLOC_LARGE,
    UWOP_ALLOC_SMALL,
    UWOP_SET_FPREG,
    UWOP_SAVE_NONVOL,
    UWOP_SAVE_NONVOL_FAR,
    UWOP_EPILOG, /* version 2 */
    UWOP_SPARE,
    UWOP_SAVE_XMM128,
    UWOP_SAVE_XMM128_FAR,
    UWOP_PUSH_MACHFRAME,
};

typedef struct _RTLP_UNWIND_INFO {
    UCHAR Version : 3, Flags : 5;
    UCHAR SizeOfProlog;
    UCHAR CountOfCodes;
    UCHAR FrameRegister : 4, FrameOffset : 4;
    union {
        struct {
            UCHAR CodeOffset;
            UCHAR Op : 4, Info : 4;
        };
        USHORT Value;
    } Code[];
} RTLP_UNWIND_INFO;

#define RTLP_CHAIN_LIMIT 32

/* ---- The tables ------------------------------------------------------------------------------------------------ */

const VOID *RtlpImageBytes(PMI_IMAGE Image, ULONG Rva, ULONG Bytes)
{
    if (Rva > Image->MappedBytes || Bytes > Image->MappedBytes - Rva)
        return NULL;
    return (const CHAR *)MiLinear(Image->Physical) + Rva;
}

static const RUNTIME_FUNCTION *RtlpFunctionAt(PMI_IMAGE Image, ULONG Rva)
{
    const RUNTIME_FUNCTION *Table = RtlpImageBytes(Image, Image->Info.unwind, Image->Info.unwind_bytes);
    ULONG Low = 0, High = Image->Info.unwind_bytes / sizeof(RUNTIME_FUNCTION);

    if (!Table)
        return NULL;
    while (Low < High) {
        ULONG Middle = (Low + High) / 2;
        if (Rva < Table[Middle].BeginAddress)
            High = Middle;
        else if (Rva >= Table[Middle].EndAddress)
            Low = Middle + 1;
        else if (Table[Middle].UnwindData & 1) /* another entry has the data */
            return RtlpImageBytes(Image, Table[Middle].UnwindData & ~1u, sizeof(RUNTIME_FUNCTION));
        else
            return &Table[Middle];
    }
    return NULL;
}

/* The entry that speaks for an address in moved code: the last one not above it (see struct door_stub). */
static const struct door_stub *RtlpStubAt(PMI_IMAGE Image, ULONG Rva)
{
    const struct door_stubs *Head = RtlpImageBytes(Image, Image->Info.bytes, sizeof(*Head));
    const struct door_stub *Stub;
    ULONG Low = 0, High;

    if (!Head || Head->count > Image->MappedBytes / sizeof(*Stub))
        return NULL;
    Stub = RtlpImageBytes(Image, Head->first, Head->count * sizeof(*Stub));
    High = Head->count;
    while (Stub && Low < High) {
        ULONG Middle = (Low + High) / 2;
        if (Stub[Middle].rva <= Rva)
            Low = Middle + 1;
        else
            High = Middle;
    }
    return Stub && Low ? &Stub[Low - 1] : NULL;
}

RTLP_PLACE RtlpLookup(UINT64 Pc)
{
    RTLP_PLACE Place = {MmImageOf(Pc), NULL, 0, 0, FALSE};

    if (!Place.Image)
        return Place;
    Place.Rva = (ULONG)(Pc - Place.Image->Base);
    if (Place.Image->Info.extra_bytes && Place.Rva >= Place.Image->Info.bytes) {
        const struct door_stub *Stub = RtlpStubAt(Place.Image, Place.Rva);
        Place.Patched = TRUE;
        if (Stub) {
            Place.Rva = Stub->original;
            Place.Pushed = Stub->pushed;
        }
    }
    Place.Function = RtlpFunctionAt(Place.Image, Place.Rva);
    return Place;
}

static const RTLP_UNWIND_INFO *RtlpInfoAt(PMI_IMAGE Image, ULONG Rva)
{
    const RTLP_UNWIND_INFO *Info = RtlpImageBytes(Image, Rva, sizeof(*Info));

    if (!Info || Info->Version < 1 || Info->Version > 2)
        return NULL;
    return RtlpImageBytes(Image, Rva, sizeof(*Info) + ((Info->CountOfCodes + 1u) & ~1u) * 2) ? Info : NULL;
}

/* What follows the codes: a handler's rva and its data, or the entry of the function this one is a part of. */
static const ULONG *RtlpInfoTail(PMI_IMAGE Image, const RTLP_UNWIND_INFO *Info)
{
    const CHAR *Tail = (const CHAR *)&Info->Code[(Info->CountOfCodes + 1) & ~1];
    UINT64 Offset = (UINT64)(Tail - (const CHAR *)MiLinear(Image->Physical));

    return RtlpImageBytes(Image, (ULONG)Offset, sizeof(RUNTIME_FUNCTION));
}

/* ---- Reading the stack ----------------------------------------------------------------------------------------- */

static BOOLEAN RtlpOnStack(const RTLP_UNWIND *State, UINT64 Address, ULONG Bytes)
{
    return Address >= State->Low && Address < State->High && State->High - Address >= Bytes && !(Address & 7);
}

static BOOLEAN RtlpRead(const RTLP_UNWIND *State, UINT64 Address, UINT64 *Value)
{
    if (!RtlpOnStack(State, Address, sizeof(UINT64)))
        return FALSE;
    *Value = *(const UINT64 *)Address;
    return TRUE;
}

static BOOLEAN RtlpLoadRegister(RTLP_UNWIND *State, ULONG Register, UINT64 Address)
{
    if (!RtlpRead(State, Address, &State->Register[Register]))
        return FALSE;
    if (State->Pointers)
        State->Pointers->IntegerContext[Register] = (PULONG64)Address;
    return TRUE;
}

static BOOLEAN RtlpPop(RTLP_UNWIND *State, ULONG Register)
{
    UINT64 Rsp = State->Register[RegisterRsp];

    State->Register[RegisterRsp] = Rsp + sizeof(UINT64);
    return RtlpLoadRegister(State, Register, Rsp);
}

static BOOLEAN RtlpReturn(RTLP_UNWIND *State)
{
    UINT64 Rsp = State->Register[RegisterRsp];

    State->Register[RegisterRsp] = Rsp + sizeof(UINT64);
    return RtlpRead(State, Rsp, &State->Register[RegisterRip]);
}

static BOOLEAN RtlpLoadXmm(RTLP_UNWIND *State, ULONG Register, UINT64 Address)
{
    if (!RtlpOnStack(State, Address, sizeof(M128A)))
        return FALSE;
    if (State->Xmm) /* a broken table may have it anywhere */
        memcpy(&State->Xmm[Register], (const VOID *)Address, sizeof(M128A));
    if (State->Pointers)
        State->Pointers->FloatingContext[Register] = (PM128A)Address;
    return TRUE;
}

/* ---- Epilogues ------------------------------------------------------------------------------------------------- */

typedef struct _RTLP_CODE {
    const UCHAR *Next, *End;
} RTLP_CODE;

static LONG RtlpImmediate(const UCHAR *Byte, BOOLEAN Long)
{
    return Long ? (LONG)(Byte[0] | Byte[1] << 8 | Byte[2] << 16 | (ULONG)Byte[3] << 24) : (CHAR)Byte[0];
}

/* add rsp, n, or lea rsp, [frame register + n]: *Rsp becomes what it would. */
static VOID RtlpSkipRelease(RTLP_CODE *Code, const RTLP_UNWIND *State, const RTLP_UNWIND_INFO *Info, UINT64 *Rsp)
{
    const UCHAR *Byte = Code->Next;
    ULONG Left = (ULONG)(Code->End - Byte), Length;

    if (Left >= 4 && Byte[0] == 0x48 && (Byte[1] == 0x83 || Byte[1] == 0x81) && Byte[2] == 0xc4) {
        Length = Byte[1] == 0x83 ? 4 : 7;
        if (Left < Length)
            return;
        *Rsp += (UINT64)(INT64)RtlpImmediate(Byte + 3, Length == 7);
        Code->Next += Length;
    } else if (Left >= 4 && (Byte[0] & 0xfe) == 0x48 && Byte[1] == 0x8d && (Byte[2] & 0x38) == 0x20 &&
               Info->FrameRegister) {
        ULONG Register = (Byte[2] & 7) | (Byte[0] & 1) << 3, Mode = Byte[2] >> 6;
        ULONG Sib = (Byte[2] & 7) == 4 ? 1 : 0; /* r12 as base takes one more byte */
        Length = 3 + Sib + (Mode == 2 ? 4 : 1);
        if (Register != Info->FrameRegister || (Mode != 1 && Mode != 2) || Left < Length || (Sib && Byte[3] != 0x24))
            return;
        *Rsp = State->Register[Register] + (UINT64)(INT64)RtlpImmediate(Byte + 3 + Sib, Mode == 2);
        Code->Next += Length;
    }
}

/* pop register: its number, or 16. */
static ULONG RtlpSkipPop(RTLP_CODE *Code)
{
    const UCHAR *Byte = Code->Next;
    ULONG Left = (ULONG)(Code->End - Byte);

    if (Left >= 1 && (Byte[0] & 0xf8) == 0x58) {
        Code->Next += 1;
        return Byte[0] & 7;
    }
    if (Left >= 2 && (Byte[0] & 0xf0) == 0x40 && (Byte[1] & 0xf8) == 0x58) {
        Code->Next += 2;
        return (Byte[1] & 7) | (Byte[0] & 1) << 3;
    }
    return 16;
}

/* Where the function that a part belongs to begins. */
static ULONG RtlpPrimaryBegin(PMI_IMAGE Image, const RUNTIME_FUNCTION *Function)
{
    for (ULONG Depth = 0; Function && Depth < RTLP_CHAIN_LIMIT; Depth++) {
        const RTLP_UNWIND_INFO *Info = RtlpInfoAt(Image, Function->UnwindData);
        if (!Info || !(Info->Flags & UNW_FLAG_CHAININFO))
            return Function->BeginAddress;
        Function = (const RUNTIME_FUNCTION *)RtlpInfoTail(Image, Info);
    }
    return ~0u;
}

/* A jump ends the epilogue when it leaves the function (a tail call), or begins it anew. */
static BOOLEAN RtlpJumpLeaves(const RTLP_PLACE *Place, UINT64 Target)
{
    const RUNTIME_FUNCTION *There;
    ULONG Begin;

    if (Target >= Place->Image->Info.bytes) /* into moved code: a patched site, not an epilogue */
        return Target >= Place->Image->MappedBytes;
    There = RtlpFunctionAt(Place->Image, (ULONG)Target);
    if (!There)
        return TRUE;
    Begin = RtlpPrimaryBegin(Place->Image, Place->Function);
    return RtlpPrimaryBegin(Place->Image, There) != Begin || Target == Begin;
}

static BOOLEAN RtlpIsReturn(const RTLP_CODE *Code, const RTLP_PLACE *Place, const UCHAR *Start)
{
    const UCHAR *Byte = Code->Next;
    ULONG Left = (ULONG)(Code->End - Byte);
    ULONG Rva = Place->Rva + (ULONG)(Byte - Start);

    if (Left >= 1 && (Byte[0] == 0xc3 || Byte[0] == 0xc2))
        return TRUE;
    if (Left >= 2 && Byte[0] == 0xf3 && Byte[1] == 0xc3)
        return TRUE;
    if (Left >= 2 && Byte[0] == 0xeb)
        return RtlpJumpLeaves(Place, (UINT64)(Rva + 2 + (INT64)RtlpImmediate(Byte + 1, FALSE)));
    if (Left >= 5 && Byte[0] == 0xe9)
        return RtlpJumpLeaves(Place, (UINT64)(Rva + 5 + (INT64)RtlpImmediate(Byte + 1, TRUE)));
    if (Left >= 6 && Byte[0] == 0xff && Byte[1] == 0x25)
        return TRUE;
    /* With REX.W: the mark by which compilers tell an indirect tail call from a switch. */
    return Left >= 3 && (Byte[0] & 0xf8) == 0x48 && Byte[1] == 0xff && (Byte[2] & 0x38) == 0x20;
}

/* TRUE when the place is inside an epilogue, which is then carried out to its end. *Valid: the stack could be read. */
static BOOLEAN RtlpFinishEpilogue(RTLP_UNWIND *State, const RTLP_PLACE *Place, const RTLP_UNWIND_INFO *Info,
                                  BOOLEAN *Valid)
{
    ULONG Bytes = Place->Function->EndAddress - Place->Rva;
    RTLP_CODE Code, Pops;
    UINT64 Rsp = State->Register[RegisterRsp];
    const UCHAR *Start = RtlpImageBytes(Place->Image, Place->Rva, Bytes);

    if (!Start)
        return FALSE;
    Code = (RTLP_CODE){Start, Start + Bytes};
    RtlpSkipRelease(&Code, State, Info, &Rsp);
    Pops = Code;
    while (RtlpSkipPop(&Code) < 16)
        ;
    if (!RtlpIsReturn(&Code, Place, Start))
        return FALSE;

    State->Register[RegisterRsp] = Rsp;
    *Valid = TRUE;
    while (*Valid && Pops.Next < Code.Next)
        *Valid = RtlpPop(State, RtlpSkipPop(&Pops));
    *Valid = *Valid && RtlpReturn(State);
    State->InEpilogue = TRUE;
    State->EstablisherFrame = Rsp; /* the frame register may be gone already */
    return TRUE;
}

/* ---- Prologues ------------------------------------------------------------------------------------------------- */

static ULONG RtlpSlots(const RTLP_UNWIND_INFO *Info, ULONG Index)
{
    switch (Info->Code[Index].Op) {
    case UWOP_ALLOC_LARGE:
        return Info->Code[Index].Info ? 3 : 2;
    case UWOP_SAVE_NONVOL:
    case UWOP_SAVE_XMM128:
        return 2;
    case UWOP_SAVE_NONVOL_FAR:
    case UWOP_SAVE_XMM128_FAR:
        return 3;
    default:
        return 1;
    }
}

static BOOLEAN RtlpUndo(RTLP_UNWIND *State, const RTLP_UNWIND_INFO *Info, ULONG Index, UINT64 Frame)
{
    UINT64 *Rsp = &State->Register[RegisterRsp];
    ULONG Operand = Info->Code[Index].Info;
    ULONG Short = 0, Long = 0;

    if (RtlpSlots(Info, Index) >= 2)
        Short = Info->Code[Index + 1].Value;
    if (RtlpSlots(Info, Index) == 3)
        Long = Short | (ULONG)Info->Code[Index + 2].Value << 16;
    switch (Info->Code[Index].Op) {
    case UWOP_PUSH_NONVOL:
        return RtlpPop(State, Operand);
    case UWOP_ALLOC_LARGE:
        *Rsp += Operand ? Long : Short * 8;
        return TRUE;
    case UWOP_ALLOC_SMALL:
        *Rsp += Operand * 8 + 8;
        return TRUE;
    case UWOP_SET_FPREG:
        *Rsp = State->Register[Info->FrameRegister] - Info->FrameOffset * 16;
        return TRUE;
    case UWOP_SAVE_NONVOL:
        return RtlpLoadRegister(State, Operand, Frame + Short * 8);
    case UWOP_SAVE_NONVOL_FAR:
        return RtlpLoadRegister(State, Operand, Frame + Long);
    case UWOP_SAVE_XMM128:
        return RtlpLoadXmm(State, Operand, Frame + Short * 16);
    case UWOP_SAVE_XMM128_FAR:
        return RtlpLoadXmm(State, Operand, Frame + Long);
    case UWOP_PUSH_MACHFRAME: {
        UINT64 At = *Rsp + Operand * 8;
        State->MachineFrame = TRUE;
        return RtlpRead(State, At, &State->Register[RegisterRip]) && RtlpRead(State, At + 24, Rsp);
    }
    case UWOP_EPILOG:
        return Info->Version == 2;
    default:
        return FALSE;
    }
}

/* Offset: how far into the function the place is; what the prologue does later has not happened yet. */
static BOOLEAN RtlpUndoPrologue(RTLP_UNWIND *State, const RTLP_UNWIND_INFO *Info, ULONG Offset, UINT64 Frame)
{
    for (ULONG Index = 0; Index < Info->CountOfCodes; Index += RtlpSlots(Info, Index)) {
        if (Index + RtlpSlots(Info, Index) > Info->CountOfCodes)
            return FALSE;
        if (Info->Version == 2 && Info->Code[Index].Op == UWOP_EPILOG)
            continue;
        if (Info->Code[Index].CodeOffset <= Offset && !RtlpUndo(State, Info, Index, Frame))
            return FALSE;
    }
    return TRUE;
}

/* The frame's fixed base: from the frame register as soon as the prologue has set it, else the stack pointer. */
static UINT64 RtlpFrameOf(RTLP_UNWIND *State, const RTLP_UNWIND_INFO *Info, ULONG Offset)
{
    BOOLEAN Set = Offset >= Info->SizeOfProlog || (Info->Flags & UNW_FLAG_CHAININFO);

    if (Info->FrameRegister && !Set)
        for (ULONG Index = 0; Index < Info->CountOfCodes; Index += RtlpSlots(Info, Index))
            if (Info->Code[Index].Op == UWOP_SET_FPREG && Info->Code[Index].CodeOffset <= Offset)
                Set = TRUE;
    State->ByFrameRegister = Info->FrameRegister && Set;
    State->FrameRegister = Info->FrameRegister;
    if (!State->ByFrameRegister)
        return State->Register[RegisterRsp];
    return State->Register[Info->FrameRegister] - Info->FrameOffset * 16;
}

/* Function and Info are the primary ones: a part of a function has its handler there. */
static BOOLEAN RtlpFindHandler(RTLP_UNWIND *State, const RTLP_PLACE *Place, const RUNTIME_FUNCTION *Function,
                               const RTLP_UNWIND_INFO *Info)
{
    UINT64 View = (UINT64)MiLinear(Place->Image->Physical);
    const ULONG *Tail;

    if (Place->Rva - Function->BeginAddress < Info->SizeOfProlog || !(Info->Flags & State->HandlerType))
        return TRUE;
    Tail = RtlpInfoTail(Place->Image, Info);
    if (!Tail)
        return FALSE;
    State->Handler = Place->Image->Base + Tail[0];
    State->HandlerData = Place->Image->Base + ((UINT64)(Tail + 1) - View);
    return TRUE;
}

BOOLEAN RtlpUnwindFrame(RTLP_UNWIND *State, const RTLP_PLACE *Place)
{
    const RUNTIME_FUNCTION *Function = Place->Function;
    const RTLP_UNWIND_INFO *Info;
    ULONG Offset;

    State->Handler = State->HandlerData = 0;
    State->ByFrameRegister = State->MachineFrame = State->InEpilogue = FALSE;
    State->Register[RegisterRsp] += Place->Pushed;
    if (!Function) {
        State->EstablisherFrame = State->Register[RegisterRsp];
        return RtlpReturn(State);
    }
    Info = RtlpInfoAt(Place->Image, Function->UnwindData);
    if (!Info)
        return FALSE;
    Offset = Place->Rva - Function->BeginAddress;
    State->EstablisherFrame = RtlpFrameOf(State, Info, Offset);

    if (State->Interrupted && !Place->Patched && (Offset >= Info->SizeOfProlog || (Info->Flags & UNW_FLAG_CHAININFO))) {
        BOOLEAN Valid = FALSE;
        if (RtlpFinishEpilogue(State, Place, Info, &Valid))
            return Valid;
    }
    if (!RtlpUndoPrologue(State, Info, Offset, State->EstablisherFrame))
        return FALSE;
    for (ULONG Depth = 0; Info->Flags & UNW_FLAG_CHAININFO; Depth++) {
        Function = (const RUNTIME_FUNCTION *)RtlpInfoTail(Place->Image, Info);
        Info = Function && Depth < RTLP_CHAIN_LIMIT ? RtlpInfoAt(Place->Image, Function->UnwindData) : NULL;
        if (!Info || !RtlpUndoPrologue(State, Info, ~0u, State->EstablisherFrame))
            return FALSE;
    }
    return RtlpFindHandler(State, Place, Function, Info) && (State->MachineFrame || RtlpReturn(State));
}
