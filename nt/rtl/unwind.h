/*
 * Unwinding: the tables of x64 images, the public types of exception dispatch (which Debian's DDK headers lack), and
 * the one unwinder that exceptions, stack walks and dumps share.
 *
 * Source: "x64 exception handling" and "x64 prolog and epilog" in the Microsoft C++ documentation; the pages of
 * RtlVirtualUnwind, RtlLookupFunctionEntry, RtlUnwindEx.
 */
#pragma once

/* ---- Public types ---------------------------------------------------------------------------------------------- */

typedef struct _RUNTIME_FUNCTION {
    ULONG BeginAddress, EndAddress; /* rvas */
    ULONG UnwindData;               /* rva; bit 0: of another RUNTIME_FUNCTION that has the data */
} RUNTIME_FUNCTION, *PRUNTIME_FUNCTION;

typedef struct _UNWIND_HISTORY_TABLE UNWIND_HISTORY_TABLE, *PUNWIND_HISTORY_TABLE; /* accepted and left alone */

typedef struct _KNONVOLATILE_CONTEXT_POINTERS {
    PM128A FloatingContext[16];
    PULONG64 IntegerContext[16];
} KNONVOLATILE_CONTEXT_POINTERS, *PKNONVOLATILE_CONTEXT_POINTERS;

typedef struct _DISPATCHER_CONTEXT {
    ULONG64 ControlPc;
    ULONG64 ImageBase;
    PRUNTIME_FUNCTION FunctionEntry;
    ULONG64 EstablisherFrame;
    ULONG64 TargetIp;
    PCONTEXT ContextRecord;
    PEXCEPTION_ROUTINE LanguageHandler;
    PVOID HandlerData;
    PUNWIND_HISTORY_TABLE HistoryTable;
    ULONG ScopeIndex;
    ULONG Fill0;
} DISPATCHER_CONTEXT, *PDISPATCHER_CONTEXT;

/* The data behind an unwind info whose handler is __C_specific_handler. */
typedef struct _SCOPE_TABLE {
    ULONG Count;
    struct {
        ULONG BeginAddress, EndAddress; /* of the guarded code, rvas */
        ULONG HandlerAddress;           /* filter, or __finally block; 1 = a filter that always accepts */
        ULONG JumpTarget;               /* __except block; 0 = this is a __finally */
    } ScopeRecord[];
} SCOPE_TABLE, *PSCOPE_TABLE;

#define CONTEXT_UNWOUND_TO_CALL 0x20000000 /* Rip is a return address */

#define UNW_FLAG_NHANDLER 0
#define UNW_FLAG_EHANDLER 1
#define UNW_FLAG_UHANDLER 2
#define UNW_FLAG_CHAININFO 4

#define EXCEPTION_UNWINDING 0x2
#define EXCEPTION_EXIT_UNWIND 0x4
#define EXCEPTION_STACK_INVALID 0x8
#define EXCEPTION_NESTED_CALL 0x10
#define EXCEPTION_TARGET_UNWIND 0x20
#define EXCEPTION_COLLIDED_UNWIND 0x40
#define EXCEPTION_UNWIND (EXCEPTION_UNWINDING | EXCEPTION_EXIT_UNWIND)

PRUNTIME_FUNCTION NTAPI RtlLookupFunctionEntry(ULONG64 ControlPc, PULONG64 ImageBase,
                                               PUNWIND_HISTORY_TABLE HistoryTable);
PEXCEPTION_ROUTINE NTAPI RtlVirtualUnwind(ULONG HandlerType, ULONG64 ImageBase, ULONG64 ControlPc,
                                          PRUNTIME_FUNCTION FunctionEntry, PCONTEXT ContextRecord, PVOID *HandlerData,
                                          PULONG64 EstablisherFrame, PKNONVOLATILE_CONTEXT_POINTERS ContextPointers);
VOID NTAPI RtlUnwind(PVOID TargetFrame, PVOID TargetIp, PEXCEPTION_RECORD ExceptionRecord, PVOID ReturnValue);
VOID NTAPI RtlUnwindEx(PVOID TargetFrame, PVOID TargetIp, PEXCEPTION_RECORD ExceptionRecord, PVOID ReturnValue,
                       PCONTEXT OriginalContext, PUNWIND_HISTORY_TABLE HistoryTable);
VOID NTAPI RtlRestoreContext(PCONTEXT ContextRecord, PEXCEPTION_RECORD ExceptionRecord);
VOID NTAPI RtlRaiseException(PEXCEPTION_RECORD ExceptionRecord);
DECLSPEC_NORETURN VOID NTAPI RtlRaiseStatus(NTSTATUS Status);
PVOID NTAPI RtlPcToFileHeader(PVOID PcValue, PVOID *BaseOfImage);

/* ---- The unwinder ---------------------------------------------------------------------------------------------- */

enum { RegisterRsp = 4, RegisterRbp = 5, RegisterRip = 16, RegisterCount = 17 };

/* CONTEXT has its integer registers in the order of their numbers in unwind codes, and Rip behind them. */
C_ASSERT(FIELD_OFFSET(CONTEXT, Rip) - FIELD_OFFSET(CONTEXT, Rax) == RegisterRip * sizeof(UINT64));

/* A place in code, as the tables see it: where patched code is at work, the place it stands for. */
typedef struct _RTLP_PLACE {
    PMI_IMAGE Image;                  /* NULL = the address lies in no image */
    const RUNTIME_FUNCTION *Function; /* in the linear view; NULL = a leaf function */
    ULONG Rva;
    ULONG Pushed; /* bytes that patched code has on the stack */
    BOOLEAN Patched;
} RTLP_PLACE;

typedef struct _RTLP_UNWIND {
    /* in */
    UINT64 *Register;    /* RegisterCount of them; changed to the caller's */
    PM128A Xmm;          /* 16, or NULL: not wanted */
    UINT64 Low, High;    /* nothing outside is read */
    BOOLEAN Interrupted; /* Rip is where the function was stopped, not a return address: it may be in an epilogue */
    ULONG HandlerType;
    PKNONVOLATILE_CONTEXT_POINTERS Pointers; /* or NULL */
    /* out */
    UINT64 EstablisherFrame;
    UINT64 Handler, HandlerData; /* addresses; 0 = none of the wanted type, or not in the function's body */
    BOOLEAN ByFrameRegister;     /* the frame was found by the frame register FrameRegister */
    UCHAR FrameRegister;
    BOOLEAN MachineFrame; /* the caller is interrupted code */
    BOOLEAN InEpilogue;
} RTLP_UNWIND;

RTLP_PLACE RtlpLookup(UINT64 Pc);

/* One frame outward. FALSE: the stack or the tables are damaged, registers are then undefined. Never faults. */
BOOLEAN RtlpUnwindFrame(RTLP_UNWIND *State, const RTLP_PLACE *Place);

/* The bytes of an image through the linear view, which is there also when its pages are closed. NULL = outside. */
const VOID *RtlpImageBytes(PMI_IMAGE Image, ULONG Rva, ULONG Bytes);

/* End of the stack that Rsp lies on; 0 = it is no kernel stack. */
static inline UINT64 RtlpStackEnd(UINT64 Rsp)
{
    return MiIsStack(Rsp) ? (Rsp & ~(DOOR_STACK_SLOT - 1)) + DOOR_STACK_SLOT : 0;
}
