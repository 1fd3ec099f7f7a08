/*
 * Language support on top of exception dispatch: the handler of __try in C, local unwinding, setjmp and longjmp; and
 * the public unwinding calls.
 *
 * __C_specific_handler works on the scope table behind the function's unwind info: rows for guarded code from the
 * innermost outward. It is the same for all compilers (docs: "x64 exception handling", language-specific handler).
 */
#include "nt.h"
#include "rtl/unwind.h"
#include <setjmp.h>

#undef longjmp

typedef LONG (*RTLP_FILTER)(PEXCEPTION_POINTERS Pointers, PVOID EstablisherFrame);
typedef VOID (*RTLP_TERMINATION)(BOOLEAN Abnormal, PVOID EstablisherFrame);

static BOOLEAN RtlpInScope(const SCOPE_TABLE *Table, ULONG Index, ULONG64 Rva)
{
    return Rva >= Table->ScopeRecord[Index].BeginAddress && Rva < Table->ScopeRecord[Index].EndAddress;
}

static EXCEPTION_DISPOSITION RtlpSearchScopes(PEXCEPTION_RECORD Record, PVOID Frame, PCONTEXT Context,
                                              PDISPATCHER_CONTEXT Dispatcher)
{
    const SCOPE_TABLE *Table = Dispatcher->HandlerData;
    ULONG64 Rva = Dispatcher->ControlPc - Dispatcher->ImageBase;
    EXCEPTION_POINTERS Pointers = {Record, Context};

    for (ULONG i = Dispatcher->ScopeIndex; i < Table->Count; i++) {
        ULONG Filter = Table->ScopeRecord[i].HandlerAddress, Target = Table->ScopeRecord[i].JumpTarget;
        LONG Answer = EXCEPTION_EXECUTE_HANDLER;
        if (!Target || !RtlpInScope(Table, i, Rva))
            continue;
        if (Filter != EXCEPTION_EXECUTE_HANDLER)
            Answer = ((RTLP_FILTER)(Dispatcher->ImageBase + Filter))(&Pointers, Frame);
        if (Answer < 0)
            return ExceptionContinueExecution;
        if (Answer > 0) {
            RtlUnwindEx(Frame, (PVOID)(Dispatcher->ImageBase + Target), Record,
                        (PVOID)(ULONG_PTR)(ULONG)Record->ExceptionCode, Dispatcher->ContextRecord,
                        Dispatcher->HistoryTable);
        }
    }
    return ExceptionContinueSearch;
}

/* The target of the unwind lies in the same scope: nothing in it, or around it, is being left. */
static BOOLEAN RtlpStaysInside(const SCOPE_TABLE *Table, ULONG Index, ULONG64 TargetRva)
{
    for (ULONG j = 0; j < Table->Count; j++)
        if (RtlpInScope(Table, j, TargetRva) &&
            Table->ScopeRecord[j].JumpTarget == Table->ScopeRecord[Index].JumpTarget &&
            Table->ScopeRecord[j].HandlerAddress == Table->ScopeRecord[Index].HandlerAddress)
            return TRUE;
    return FALSE;
}

static EXCEPTION_DISPOSITION RtlpUnwindScopes(PEXCEPTION_RECORD Record, PVOID Frame, PDISPATCHER_CONTEXT Dispatcher)
{
    const SCOPE_TABLE *Table = Dispatcher->HandlerData;
    ULONG64 Rva = Dispatcher->ControlPc - Dispatcher->ImageBase;
    ULONG64 TargetRva = Dispatcher->TargetIp - Dispatcher->ImageBase;
    BOOLEAN IsTarget = (Record->ExceptionFlags & EXCEPTION_TARGET_UNWIND) != 0;

    for (ULONG i = Dispatcher->ScopeIndex; i < Table->Count; i++) {
        if (!RtlpInScope(Table, i, Rva))
            continue;
        if (IsTarget && RtlpStaysInside(Table, i, TargetRva))
            break;
        if (Table->ScopeRecord[i].JumpTarget) {
            if (IsTarget && Table->ScopeRecord[i].JumpTarget == TargetRva)
                break; /* the __except block that took the exception */
        } else {
            Dispatcher->ScopeIndex = i + 1; /* an unwind that collides with this one begins behind it */
            ((RTLP_TERMINATION)(Dispatcher->ImageBase + Table->ScopeRecord[i].HandlerAddress))(TRUE, Frame);
        }
    }
    return ExceptionContinueSearch;
}

EXCEPTION_DISPOSITION __cdecl __C_specific_handler(PEXCEPTION_RECORD ExceptionRecord, PVOID EstablisherFrame,
                                                   PCONTEXT ContextRecord, PDISPATCHER_CONTEXT DispatcherContext)
{
    if (ExceptionRecord->ExceptionFlags & EXCEPTION_UNWIND)
        return RtlpUnwindScopes(ExceptionRecord, EstablisherFrame, DispatcherContext);
    return RtlpSearchScopes(ExceptionRecord, EstablisherFrame, ContextRecord, DispatcherContext);
}

/* Called by compiled code that leaves a __try with a __finally by goto or return. */
VOID __cdecl _local_unwind(PVOID Frame, PVOID TargetIp)
{
    RtlUnwind(Frame, TargetIp, NULL, NULL);
}

/* ---- setjmp, longjmp ------------------------------------------------------------------------------------------- */

typedef struct _RTLP_JUMP_BUFFER {
    UINT64 Frame, Rbx, Rsp, Rbp, Rsi, Rdi, R12, R13, R14, R15, Rip;
    ULONG MxCsr;
    USHORT FpCsr, Spare;
    M128A Xmm[10]; /* 6 to 15 */
} RTLP_JUMP_BUFFER;

C_ASSERT(sizeof(RTLP_JUMP_BUFFER) == 0x100);

static VOID RtlpContextOfJump(PCONTEXT Context, const RTLP_JUMP_BUFFER *Buffer)
{
    Context->Rbx = Buffer->Rbx;
    Context->Rsp = Buffer->Rsp;
    Context->Rbp = Buffer->Rbp;
    Context->Rsi = Buffer->Rsi;
    Context->Rdi = Buffer->Rdi;
    Context->R12 = Buffer->R12;
    Context->R13 = Buffer->R13;
    Context->R14 = Buffer->R14;
    Context->R15 = Buffer->R15;
    Context->Rip = Buffer->Rip;
    Context->MxCsr = Buffer->MxCsr;
    memcpy(&Context->Xmm6, Buffer->Xmm, sizeof(Buffer->Xmm));
}

DECLSPEC_NORETURN void __cdecl longjmp(jmp_buf Where, int Value)
{
    RTLP_JUMP_BUFFER *Buffer = (RTLP_JUMP_BUFFER *)Where;
    EXCEPTION_RECORD Record = {.ExceptionCode = STATUS_LONGJUMP, .NumberParameters = 1};
    CONTEXT Context;

    if (!Value)
        Value = 1;
    if (Buffer->Frame) {
        Record.ExceptionInformation[0] = (ULONG_PTR)Buffer;
        RtlUnwind((PVOID)Buffer->Frame, (PVOID)Buffer->Rip, &Record, (PVOID)(INT_PTR)Value);
    }
    RtlCaptureContext(&Context);
    RtlpContextOfJump(&Context, Buffer);
    Context.Rax = (UINT64)(INT64)Value;
    RtlpRestoreContext(&Context);
}

/* ---- Public calls ---------------------------------------------------------------------------------------------- */

/* docs: RtlRestoreContext; the record tells of a longjmp. */
VOID NTAPI RtlRestoreContext(PCONTEXT ContextRecord, PEXCEPTION_RECORD ExceptionRecord)
{
    if (ExceptionRecord && ExceptionRecord->ExceptionCode == STATUS_LONGJUMP && ExceptionRecord->NumberParameters)
        RtlpContextOfJump(ContextRecord, (const RTLP_JUMP_BUFFER *)ExceptionRecord->ExceptionInformation[0]);
    RtlpRestoreContext(ContextRecord);
}

PRUNTIME_FUNCTION NTAPI RtlLookupFunctionEntry(ULONG64 ControlPc, PULONG64 ImageBase,
                                               PUNWIND_HISTORY_TABLE HistoryTable)
{
    RTLP_PLACE Place = RtlpLookup(ControlPc);

    *ImageBase = Place.Image ? Place.Image->Base : 0;
    if (!Place.Function)
        return NULL;
    return (PRUNTIME_FUNCTION)(Place.Image->Base + ((UINT64)Place.Function - (UINT64)MiLinear(Place.Image->Physical)));
}

/* docs: RtlVirtualUnwind. DIFFERS: a damaged stack or table sets Rip to 0, where Windows raises. */
PEXCEPTION_ROUTINE NTAPI RtlVirtualUnwind(ULONG HandlerType, ULONG64 ImageBase, ULONG64 ControlPc,
                                          PRUNTIME_FUNCTION FunctionEntry, PCONTEXT ContextRecord, PVOID *HandlerData,
                                          PULONG64 EstablisherFrame, PKNONVOLATILE_CONTEXT_POINTERS ContextPointers)
{
    RTLP_PLACE Place = RtlpLookup(ControlPc);
    RTLP_UNWIND State = {.Register = &ContextRecord->Rax,
                         .Xmm = &ContextRecord->Xmm0,
                         .Low = 0,
                         .High = ~0ull,
                         .Interrupted = TRUE,
                         .HandlerType = HandlerType,
                         .Pointers = ContextPointers};

    if (!Place.Image || Place.Image->Base != ImageBase || !RtlpUnwindFrame(&State, &Place)) {
        ContextRecord->Rip = 0;
        return NULL;
    }
    *HandlerData = (PVOID)State.HandlerData;
    *EstablisherFrame = State.EstablisherFrame;
    return (PEXCEPTION_ROUTINE)State.Handler;
}

/* docs: RtlPcToFileHeader */
PVOID NTAPI RtlPcToFileHeader(PVOID PcValue, PVOID *BaseOfImage)
{
    PMI_IMAGE Image = MmImageOf(VfRoutineAt((UINT64)PcValue));

    *BaseOfImage = Image ? (PVOID)Image->Base : NULL;
    return *BaseOfImage;
}
