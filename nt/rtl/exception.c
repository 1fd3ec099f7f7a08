/*
 * Exception dispatch and unwinding, x64's way: search the frames outward for a handler that takes the exception, then
 * unwind to it, running termination handlers on the way.
 *
 * Both passes call language handlers through a small frame of their own (context.S). When a handler in turn fails,
 * the dispatch of that second exception meets this frame and learns where the first one stood: a nested exception marks
 * the frames up to there; an exception out of a termination handler, and an unwind that overtakes another, go on where
 * the interrupted unwind had got to (a collided unwind).
 *
 * Kernel frames have tables too, so an exception in a kernel routine unwinds through it to the driver's handler. Frames
 * are followed while they lie on the current stack, inside images; a ruined stack ends in an unhandled exception.
 * (docs: "x64 exception handling", RtlUnwindEx, RtlRaiseException)
 */
#include "nt.h"
#include "rtl/unwind.h"

EXCEPTION_DISPOSITION RtlpExecuteHandlerForException(PEXCEPTION_RECORD Record, PVOID EstablisherFrame, PCONTEXT Context,
                                                     PDISPATCHER_CONTEXT Dispatcher);
EXCEPTION_DISPOSITION RtlpExecuteHandlerForUnwind(PEXCEPTION_RECORD Record, PVOID EstablisherFrame, PCONTEXT Context,
                                                  PDISPATCHER_CONTEXT Dispatcher);

/* The frame of the two routines above. */
typedef struct _RTLP_HANDLER_FRAME {
    UINT64 Home[4];
    PDISPATCHER_CONTEXT Dispatcher;
} RTLP_HANDLER_FRAME;

/* Their own handlers. Called for an exception or unwind that passes through them. */
EXCEPTION_DISPOSITION RtlpNestedHandler(PEXCEPTION_RECORD Record, RTLP_HANDLER_FRAME *Frame, PCONTEXT Context,
                                        PDISPATCHER_CONTEXT Dispatcher)
{
    if (Record->ExceptionFlags & EXCEPTION_UNWIND)
        return ExceptionContinueSearch;
    Dispatcher->EstablisherFrame = Frame->Dispatcher->EstablisherFrame;
    return ExceptionNestedException;
}

EXCEPTION_DISPOSITION RtlpCollidedHandler(PEXCEPTION_RECORD Record, RTLP_HANDLER_FRAME *Frame, PCONTEXT Context,
                                          PDISPATCHER_CONTEXT Dispatcher)
{
    ULONG64 TargetIp = Dispatcher->TargetIp;

    *Dispatcher = *Frame->Dispatcher;
    Dispatcher->TargetIp = TargetIp;
    return ExceptionCollidedUnwind;
}

/* ---- One frame ------------------------------------------------------------------------------------------------- */

/* Unwind Context to its caller; *Dispatcher learns the frame and its handler of the wanted type. FALSE: no further
 * frame. */
static BOOLEAN RtlpNextFrame(PCONTEXT Context, ULONG HandlerType, BOOLEAN Interrupted, PDISPATCHER_CONTEXT Dispatcher,
                             BOOLEAN *CallerInterrupted)
{
    RTLP_PLACE Place = RtlpLookup(Context->Rip);
    RTLP_UNWIND State = {.Register = &Context->Rax,
                         .Xmm = &Context->Xmm0,
                         .Low = Context->Rsp,
                         .High = RtlpStackEnd(Context->Rsp),
                         .Interrupted = Interrupted,
                         .HandlerType = HandlerType};

    RtlZeroMemory(Dispatcher, sizeof(*Dispatcher));
    Dispatcher->ControlPc = Context->Rip;
    if (Place.Image) {
        Dispatcher->ImageBase = Place.Image->Base;
        Dispatcher->ControlPc = Place.Image->Base + Place.Rva; /* patched code: where it stands for */
        Dispatcher->FunctionEntry = (PRUNTIME_FUNCTION)Place.Function;
    } else if (!Interrupted) {
        return FALSE; /* a return address that leads nowhere */
    }
    if (!RtlpUnwindFrame(&State, &Place))
        return FALSE;
    /* In an epilogue the stack pointer may be past the frame already: any place on this stack will do. */
    if (State.EstablisherFrame - (State.High - DOOR_STACK_SLOT) >= DOOR_STACK_SLOT)
        return FALSE;
    Dispatcher->EstablisherFrame = State.EstablisherFrame;
    Dispatcher->LanguageHandler = (PEXCEPTION_ROUTINE)State.Handler;
    Dispatcher->HandlerData = (PVOID)State.HandlerData;
    *CallerInterrupted = State.MachineFrame;
    return TRUE;
}

/*
 * A collided unwind has told in *Dispatcher the frame another unwind was at: Frame becomes that frame's context and
 * Caller its caller's (they may be one). The dispatcher context stays as told: the handler goes on behind where it was.
 */
static VOID RtlpTakeOver(PDISPATCHER_CONTEXT Dispatcher, PCONTEXT Frame, PCONTEXT Caller)
{
    DISPATCHER_CONTEXT Ignored;
    BOOLEAN Interrupted;

    if (Dispatcher->ContextRecord != Frame)
        *Frame = *Dispatcher->ContextRecord;
    if (Caller != Frame)
        *Caller = *Frame;
    if (!RtlpNextFrame(Caller, UNW_FLAG_NHANDLER, FALSE, &Ignored, &Interrupted))
        RtlRaiseStatus(STATUS_BAD_STACK);
}

/* ---- The first pass -------------------------------------------------------------------------------------------- */

/*
 * The search. TRUE: a filter has said to continue at *Context. FALSE: nobody takes the exception. Does not return when
 * somebody does.
 */
BOOLEAN RtlpDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context)
{
    CONTEXT Unwind = *Context;
    DISPATCHER_CONTEXT Dispatcher;
    ULONG64 NestedFrame = 0;
    ULONG Flags = Record->ExceptionFlags & EXCEPTION_NONCONTINUABLE;
    BOOLEAN Interrupted = !(Context->ContextFlags & CONTEXT_UNWOUND_TO_CALL);

    while (RtlpNextFrame(&Unwind, UNW_FLAG_EHANDLER, Interrupted, &Dispatcher, &Interrupted)) {
        BOOLEAN Again = Dispatcher.LanguageHandler != NULL;
        while (Again) {
            ULONG64 Frame = Dispatcher.EstablisherFrame;
            Again = FALSE;
            Dispatcher.ContextRecord = &Unwind;
            Record->ExceptionFlags = Flags;
            switch (RtlpExecuteHandlerForException(Record, (PVOID)Frame, Context, &Dispatcher)) {
            case ExceptionContinueExecution:
                if (Flags & EXCEPTION_NONCONTINUABLE)
                    RtlRaiseStatus(STATUS_NONCONTINUABLE_EXCEPTION);
                return TRUE;
            case ExceptionContinueSearch:
                break;
            case ExceptionNestedException:
                Flags |= EXCEPTION_NESTED_CALL;
                if (Dispatcher.EstablisherFrame > NestedFrame)
                    NestedFrame = Dispatcher.EstablisherFrame;
                break;
            case ExceptionCollidedUnwind:
                RtlpTakeOver(&Dispatcher, &Unwind, &Unwind);
                Again = TRUE;
                break;
            default:
                RtlRaiseStatus(STATUS_INVALID_DISPOSITION);
            }
            if (NestedFrame == Frame) {
                Flags &= ~EXCEPTION_NESTED_CALL;
                NestedFrame = 0;
            }
        }
    }
    return FALSE;
}

/* ---- The second pass ------------------------------------------------------------------------------------------- */

/*
 * Two contexts take turns: Current is the frame being worked on, Caller the one it returns to. A language handler sees
 * Current; at the target frame Current is what execution goes on with.
 */
typedef struct _RTLP_PASS {
    PCONTEXT Current, Caller;
    ULONG64 TargetFrame, TargetIp;
    PVOID ReturnValue;
    ULONG Flags;
} RTLP_PASS;

static VOID RtlpRunUnwindHandlers(RTLP_PASS *Pass, PEXCEPTION_RECORD Record, PDISPATCHER_CONTEXT Dispatcher)
{
    BOOLEAN Again = TRUE;

    while (Again) {
        Again = FALSE;
        if (Dispatcher->EstablisherFrame == Pass->TargetFrame)
            Pass->Flags |= EXCEPTION_TARGET_UNWIND;
        Record->ExceptionFlags = Pass->Flags;
        Pass->Current->Rax = (ULONG64)Pass->ReturnValue;
        Dispatcher->TargetIp = Pass->TargetIp;
        Dispatcher->ContextRecord = Pass->Current;
        switch (RtlpExecuteHandlerForUnwind(Record, (PVOID)Dispatcher->EstablisherFrame, Pass->Current, Dispatcher)) {
        case ExceptionContinueSearch:
            break;
        case ExceptionCollidedUnwind:
            RtlpTakeOver(Dispatcher, Pass->Current, Pass->Caller);
            Pass->Flags |= EXCEPTION_COLLIDED_UNWIND;
            Again = TRUE;
            continue;
        default:
            RtlRaiseStatus(STATUS_INVALID_DISPOSITION);
        }
        Pass->Flags &= ~(EXCEPTION_COLLIDED_UNWIND | EXCEPTION_TARGET_UNWIND);
    }
}

static VOID RtlpUnwindTo(RTLP_PASS *Pass, PEXCEPTION_RECORD Record)
{
    DISPATCHER_CONTEXT Dispatcher;
    BOOLEAN Interrupted = FALSE;

    do {
        *Pass->Caller = *Pass->Current;
        if (!RtlpNextFrame(Pass->Caller, UNW_FLAG_UHANDLER, Interrupted, &Dispatcher, &Interrupted))
            break;
        if (Pass->TargetFrame && Dispatcher.EstablisherFrame > Pass->TargetFrame)
            RtlRaiseStatus(STATUS_INVALID_UNWIND_TARGET);
        if (Dispatcher.LanguageHandler)
            RtlpRunUnwindHandlers(Pass, Record, &Dispatcher);
        if (Dispatcher.EstablisherFrame != Pass->TargetFrame) {
            PCONTEXT Caller = Pass->Caller;
            Pass->Caller = Pass->Current;
            Pass->Current = Caller;
        }
    } while (Dispatcher.EstablisherFrame != Pass->TargetFrame);
    if (Pass->TargetFrame && Dispatcher.EstablisherFrame != Pass->TargetFrame)
        RtlRaiseStatus(STATUS_INVALID_UNWIND_TARGET);
}

/* OriginalContext is room for a context, nothing in it is used. Without a target frame all frames are unwound. */
VOID NTAPI RtlUnwindEx(PVOID TargetFrame, PVOID TargetIp, PEXCEPTION_RECORD ExceptionRecord, PVOID ReturnValue,
                       PCONTEXT OriginalContext, PUNWIND_HISTORY_TABLE HistoryTable)
{
    CONTEXT Other;
    EXCEPTION_RECORD Local = {0};
    RTLP_PASS Pass = {OriginalContext,   &Other,      (ULONG64)TargetFrame,
                      (ULONG64)TargetIp, ReturnValue, EXCEPTION_UNWINDING};

    RtlCaptureContext(OriginalContext);
    if (!ExceptionRecord) {
        Local.ExceptionCode = STATUS_UNWIND;
        Local.ExceptionAddress = (PVOID)OriginalContext->Rip;
        ExceptionRecord = &Local;
    }
    if (!TargetFrame)
        Pass.Flags |= EXCEPTION_EXIT_UNWIND;
    RtlpUnwindTo(&Pass, ExceptionRecord);
    Pass.Current->Rax = (ULONG64)ReturnValue;
    if (TargetFrame)
        Pass.Current->Rip = (ULONG64)TargetIp;
    RtlRestoreContext(Pass.Current, ExceptionRecord);
}

VOID NTAPI RtlUnwind(PVOID TargetFrame, PVOID TargetIp, PEXCEPTION_RECORD ExceptionRecord, PVOID ReturnValue)
{
    CONTEXT Context;

    RtlUnwindEx(TargetFrame, TargetIp, ExceptionRecord, ReturnValue, &Context, NULL);
}

/* ---- Raising --------------------------------------------------------------------------------------------------- */

/* In the exported routine itself, so that one frame outward is its caller, whom the exception is about. */
static inline __attribute__((always_inline)) VOID RtlpRaise(PEXCEPTION_RECORD Record)
{
    CONTEXT Context;
    DISPATCHER_CONTEXT Dispatcher;
    BOOLEAN Interrupted;

    RtlCaptureContext(&Context);
    if (RtlpNextFrame(&Context, UNW_FLAG_NHANDLER, FALSE, &Dispatcher, &Interrupted))
        Context.ContextFlags |= CONTEXT_UNWOUND_TO_CALL;
    Record->ExceptionAddress = (PVOID)Context.Rip;
    KiDispatchException(Record, &Context);
    RtlpRestoreContext(&Context);
}

VOID NTAPI RtlRaiseException(PEXCEPTION_RECORD ExceptionRecord)
{
    RtlpRaise(ExceptionRecord);
}

DECLSPEC_NORETURN VOID NTAPI RtlRaiseStatus(NTSTATUS Status)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = Status, .ExceptionFlags = EXCEPTION_NONCONTINUABLE};

    RtlpRaise(&Record);
    __builtin_unreachable();
}

DECLSPEC_NORETURN VOID NTAPI ExRaiseStatus(NTSTATUS Status)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = Status, .ExceptionFlags = EXCEPTION_NONCONTINUABLE};

    RtlpRaise(&Record);
    __builtin_unreachable();
}

DECLSPEC_NORETURN VOID NTAPI ExRaiseAccessViolation(VOID)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = STATUS_ACCESS_VIOLATION, .ExceptionFlags = EXCEPTION_NONCONTINUABLE};

    RtlpRaise(&Record);
    __builtin_unreachable();
}

DECLSPEC_NORETURN VOID NTAPI ExRaiseDatatypeMisalignment(VOID)
{
    EXCEPTION_RECORD Record = {.ExceptionCode = STATUS_DATATYPE_MISALIGNMENT,
                               .ExceptionFlags = EXCEPTION_NONCONTINUABLE};

    RtlpRaise(&Record);
    __builtin_unreachable();
}
