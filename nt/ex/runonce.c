/*
 * One-time initialisation (docs: RtlRunOnceInitialize, RtlRunOnceBeginInitialize, RtlRunOnceComplete,
 * RtlRunOnceExecuteOnce).
 *
 * The caller's pointer is the state: 0 = nothing begun; 1 with a chain of waiters above = one thread initialises; 2
 * with the context above = done; 3 = several threads initialise, the first that completes wins. Contexts leave the low
 * two bits free.
 */
#include "nt.h"

#define EXP_ONCE_STATE 3ull
enum { ExpOnceIdle, ExpOncePending, ExpOnceDone, ExpOnceAsync };

typedef struct DECLSPEC_ALIGN(16) _EXP_ONCE_WAITER {
    struct _EXP_ONCE_WAITER *Next;
    KEVENT Event;
} EXP_ONCE_WAITER, *PEXP_ONCE_WAITER;

#define ExpOnceWord(RunOnce) (*(volatile ULONG_PTR *)&(RunOnce)->Ptr)

VOID NTAPI RtlRunOnceInitialize(PRTL_RUN_ONCE RunOnce)
{
    RunOnce->Ptr = NULL;
}

static VOID ExpAwaitOnce(PRTL_RUN_ONCE RunOnce)
{
    EXP_ONCE_WAITER Waiter;
    KeInitializeEvent(&Waiter.Event, NotificationEvent, FALSE);
    Waiter.Next = (PEXP_ONCE_WAITER)(ExpOnceWord(RunOnce) & ~EXP_ONCE_STATE);
    ExpOnceWord(RunOnce) = (ULONG_PTR)&Waiter | ExpOncePending;
    KeWaitForSingleObject(&Waiter.Event, Executive, KernelMode, FALSE, NULL);
}

NTSTATUS NTAPI RtlRunOnceBeginInitialize(PRTL_RUN_ONCE RunOnce, ULONG Flags, PVOID *Context)
{
    if ((Flags & ~(RTL_RUN_ONCE_CHECK_ONLY | RTL_RUN_ONCE_ASYNC)) || (Flags & (Flags - 1)))
        return STATUS_INVALID_PARAMETER_2;
    for (;;) {
        ULONG_PTR Word = ExpOnceWord(RunOnce);
        ULONG State = (ULONG)(Word & EXP_ONCE_STATE);
        if (State == ExpOnceDone) {
            if (Context)
                *Context = (PVOID)(Word & ~EXP_ONCE_STATE);
            return STATUS_SUCCESS;
        }
        if (Flags & RTL_RUN_ONCE_CHECK_ONLY)
            return STATUS_UNSUCCESSFUL;
        if (State == ExpOnceIdle) {
            ExpOnceWord(RunOnce) = Flags & RTL_RUN_ONCE_ASYNC ? ExpOnceAsync : ExpOncePending;
            return STATUS_PENDING;
        }
        /* one way of initialising it for all */
        if ((State == ExpOnceAsync) != ((Flags & RTL_RUN_ONCE_ASYNC) != 0))
            return STATUS_INVALID_PARAMETER_2;
        if (State == ExpOnceAsync)
            return STATUS_PENDING;
        ExpAwaitOnce(RunOnce);
    }
}

NTSTATUS NTAPI RtlRunOnceComplete(PRTL_RUN_ONCE RunOnce, ULONG Flags, PVOID Context)
{
    ULONG_PTR Word = ExpOnceWord(RunOnce);
    ULONG State = (ULONG)(Word & EXP_ONCE_STATE);
    BOOLEAN Failed = (Flags & RTL_RUN_ONCE_INIT_FAILED) != 0, Async = (Flags & RTL_RUN_ONCE_ASYNC) != 0;
    if ((Flags & ~(RTL_RUN_ONCE_ASYNC | RTL_RUN_ONCE_INIT_FAILED)) || (Failed && (Async || Context)))
        return STATUS_INVALID_PARAMETER_2;
    if ((ULONG_PTR)Context & EXP_ONCE_STATE)
        return STATUS_INVALID_PARAMETER_3;
    if (State == ExpOnceDone)
        return STATUS_OBJECT_NAME_COLLISION;
    if (State == ExpOnceIdle)
        return STATUS_UNSUCCESSFUL;
    if (!Failed && Async != (State == ExpOnceAsync))
        return STATUS_INVALID_PARAMETER_2;
    ExpOnceWord(RunOnce) = Failed ? 0 : (ULONG_PTR)Context | ExpOnceDone;
    PEXP_ONCE_WAITER Waiter = State == ExpOncePending ? (PEXP_ONCE_WAITER)(Word & ~EXP_ONCE_STATE) : NULL;
    while (Waiter) {
        PEXP_ONCE_WAITER Next = Waiter->Next; /* gone once its thread runs */
        KeSetEvent(&Waiter->Event, 0, FALSE);
        Waiter = Next;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlRunOnceExecuteOnce(PRTL_RUN_ONCE RunOnce, PRTL_RUN_ONCE_INIT_FN Routine, PVOID Parameter,
                                     PVOID *Context)
{
    PVOID Value = NULL;
    NTSTATUS Status = RtlRunOnceBeginInitialize(RunOnce, 0, &Value);
    if (Status == STATUS_PENDING) {
        VF_CALLBACK Callback;
        IopEnter(&Callback, "RTL_RUN_ONCE_INIT_FN", "one-time initialisation", (PVOID)(ULONG_PTR)Routine, RunOnce);
        ULONG Good = Routine(RunOnce, Parameter, &Value);
        VfLeaveCallback(&Callback);
        Status = RtlRunOnceComplete(RunOnce, Good ? 0 : RTL_RUN_ONCE_INIT_FAILED, Good ? Value : NULL);
        if (NT_SUCCESS(Status) && !Good)
            return STATUS_UNSUCCESSFUL;
    }
    if (NT_SUCCESS(Status) && Context)
        *Context = Value;
    return Status;
}
