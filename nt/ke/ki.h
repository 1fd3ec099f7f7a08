/*
 * The kernel core: processors, IRQL, the dispatcher, traps.
 *
 * All simulated processors run on one host thread, so kernel code is never interrupted by the host: between two
 * delivery points it is atomic on all processors. A delivery point is a place where the schedule may let another
 * processor go on or an interrupt, DPC or APC in: KiDeliver, lowering IRQL, waiting, a contended lock, `pause`, and
 * every KiBudget-th call that a driver makes into a module. Code that touches shared kernel state therefore needs no
 * lock of its own as long as it does not reach a delivery point in the middle.
 */
#pragma once

/* ---- The processor area ---------------------------------------------------------------------------------------- */

typedef enum _KI_LEVEL_CAUSE {
    KiCauseNone,
    KiCauseRaise,    /* KeRaiseIrql and its forms, or mov cr8 */
    KiCauseSpinLock, /* a spin lock was acquired */
    KiCauseMutex,    /* a fast or guarded mutex was acquired */
} KI_LEVEL_CAUSE;

/* What an earlier raise was, for reports: where, and by which routine. */
typedef struct _KI_RAISE {
    KI_LEVEL_CAUSE Cause;
    KIRQL From;
    UINT64 Site;  /* return address in the code that asked */
    PVOID Object; /* the lock */
} KI_RAISE;

/* Locks held, in the order of acquisition; those beyond the most are not followed. */
#define KI_HELD_MOST 8
typedef struct _KI_HELD {
    ULONG Count;
    struct {
        PVOID Lock;
        UINT64 Site;
    } Entry[KI_HELD_MOST];
} KI_HELD;

struct _VF_CALLBACK;

typedef struct _KI_PROCESSOR {
    /* The first page has Windows' KPCR and the public head of KPRCB (which starts at 0x180). */
    UINT64 TebFields[3];
    struct _KI_PROCESSOR *Self; /* gs:[18h] */
    PVOID CurrentPrcb;          /* gs:[20h] */
    PVOID LockArray;
    PVOID Used_Self; /* gs:[30h] TEB of the current user thread */
    PVOID IdtBase;
    UINT64 Unused[2];
    KIRQL Irql; /* gs:[50h] */
    UCHAR SecondLevelCacheAssociativity, ObsoleteNumber, Fill0;
    ULONG Unused0[3];
    USHORT MajorVersion, MinorVersion;
    ULONG StallScaleFactor;
    UCHAR Fill1[0x180 - 0x68];
    ULONG MxCsr;        /* gs:[180h], Prcb */
    UCHAR LegacyNumber; /* gs:[184h] */
    UCHAR ReservedMustBeZero, InterruptRequest, IdleHalt;
    struct _KTHREAD *CurrentThread; /* gs:[188h] */
    struct _KTHREAD *NextThread;
    struct _KTHREAD *IdleThread;
    UCHAR NestingLevel, ClockOwner, PendingTickFlags, PendingTick;
    ULONG Number; /* gs:[1A4h] */
    UCHAR Fill2[0x1000 - 0x1a8];

    /* From here on ours. The first three are known to the host (door.h). */
    ULONG InterruptFlag;
    volatile ULONG Budget;
    volatile UINT64 Points;

    ULONG PendingLevels; /* bit n: an interrupt of level n waits to be delivered */
    BOOLEAN Idle;        /* the idle thread runs and found nothing to do */
    BOOLEAN DpcRoutineActive;
    BOOLEAN QuantumEnd;
    UCHAR Spare;
    ULONG SpinLocksHeld;   /* by this processor */
    UINT64 SuspendedStack; /* RSP while another processor runs */

    LIST_ENTRY DpcList;
    ULONG DpcCount;
    ULONG ReadySummary; /* bit n: Ready[n] is not empty */
    LIST_ENTRY Ready[32];

    KI_RAISE Raise[16];            /* by level: the raise that brought the processor there */
    struct _VF_CALLBACK *Callback; /* innermost callback that runs as a DPC or above DISPATCH_LEVEL */
    PVOID DpcStackBase;
    struct _KTHREAD *DeadThread; /* ended; its stack goes once another thread runs */
    VOID (*ReapRoutine)(struct _KTHREAD *Thread);
    KI_HELD Held; /* spin locks */

    /* DPCs (dpc.c, threaded.c, watchdog.c). */
    PKDPC ActiveDpc; /* whose routine runs; an address to compare with, the object may be gone */
    PKDPC ActiveThreadedDpc;
    LIST_ENTRY ThreadedDpcList;
    KEVENT ThreadedDpcEvent; /* the processor's DPC thread waits for it */
    UINT64 DpcTime;          /* virtual time the present DPC has taken */
    UINT64 RaisedTime;       /* virtual time spent at DISPATCH_LEVEL or above since it was last below */

    ULONG IpiRequests;    /* KI_IPI_*: which of the sources that share the level asked */
    BOOLEAN InUnmaskable; /* an NMI or machine check is being handled: no other comes in */
} KI_PROCESSOR, *PKI_PROCESSOR;

C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Irql) == DOOR_PCR_IRQL);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, CurrentThread) == 0x188);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Number) == 0x1a4);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, InterruptFlag) == DOOR_PCR_INTERRUPT_FLAG);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Budget) == DOOR_PCR_BUDGET);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Points) == DOOR_PCR_POINTS);
C_ASSERT(sizeof(KI_PROCESSOR) <= DOOR_PROCESSOR_BYTES);
/* For context.S and entry.S. */
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, PendingLevels) == 0x1010);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, SuspendedStack) == 0x1020);
C_ASSERT(FIELD_OFFSET(KI_PROCESSOR, Raise) == 0x1240 && sizeof(KI_RAISE) == 24);
C_ASSERT(KiCauseRaise == 1);

static inline PKI_PROCESSOR KiProcessor(void)
{
    return *(PKI_PROCESSOR __attribute__((address_space(256))) *)0x18; /* a load relative to GS */
}

static inline unsigned long long KiReadCr8(void)
{
    unsigned char Irql;
    __asm__ volatile("movb %%gs:0x50, %0" : "=r"(Irql) : : "memory");
    return Irql;
}

/* The processor area of processor Number. */
#define KiProcessorBlock(Number) ((PKI_PROCESSOR)(DOOR_PROCESSOR_BASE + (UINT64)(Number)*DOOR_PROCESSOR_BYTES))

/* Levels of the x64 ladder that the public headers do not all name. */
#define KI_SYNCH_LEVEL 12
#define KI_CLOCK_LEVEL 13
#define KI_IPI_LEVEL 14 /* POWER_LEVEL too */

/* Bits of PendingLevels above the levels: what no level and no cli holds off. Both run at HIGH_LEVEL. */
#define KI_SOURCE_NMI 16
#define KI_SOURCE_MACHINE_CHECK 17
#define KI_UNMASKABLE (1u << KI_SOURCE_NMI | 1u << KI_SOURCE_MACHINE_CHECK)

#define KI_TICK 156250 /* of the clock: 15.625 ms, what KeQueryTimeIncrement says */

/* Types of dispatcher and control objects (KOBJECTS), the first byte of each. */
typedef enum _KOBJECTS {
    EventNotificationObject = 0,
    EventSynchronizationObject,
    MutantObject,
    ProcessObject,
    QueueObject,
    SemaphoreObject,
    ThreadObject,
    GateObject,
    TimerNotificationObject,
    TimerSynchronizationObject,
    ApcObject = 18,
    DpcObject,
    ThreadedDpcObject = 24,
} KOBJECTS;

typedef enum _KAPC_ENVIRONMENT {
    OriginalApcEnvironment,
    AttachedApcEnvironment,
    CurrentApcEnvironment
} KAPC_ENVIRONMENT;

/* ---- Threads and processes ------------------------------------------------------------------------------------- */

typedef enum _KI_THREAD_STATE { KiInitialized, KiReady, KiRunning, KiStandby, KiTerminated, KiWaiting } KI_THREAD_STATE;

struct _KPROCESS {
    DISPATCHER_HEADER Header; /* signalled when the process has ended */
    LIST_ENTRY ThreadListHead;
    ULONG ThreadCount;
    SCHAR BasePriority;
    UINT64 KernelTime; /* of its threads, those that have ended included (runtime.c) */
};

struct _KTHREAD {
    DISPATCHER_HEADER Header; /* signalled when the thread has ended */
    LIST_ENTRY MutantListHead;

    /* Stack: slot number, and the saved RSP while it does not run. */
    UINT64 StackSlot;
    PVOID StackBase;  /* highest address + 1 */
    PVOID StackLimit; /* lowest address a driver may use: StackBase - DOOR_STACK_USABLE */
    UINT64 KernelStack;
    KPROCESSOR_MODE PreviousMode;

    /* Scheduling. */
    UCHAR State; /* KI_THREAD_STATE */
    SCHAR Priority, BasePriority;
    UCHAR Quantum;
    KAFFINITY Affinity;                     /* in force: */
    KAFFINITY SystemAffinity, UserAffinity; /* the first of them that is not 0, or all active processors */
    BOOLEAN SystemAffinityActive;           /* set by the thread and not reverted; may be 0 all the same */
    ULONG Processor;                        /* where it runs or last ran */
    ULONG IdealProcessor;                   /* KI_NO_IDEAL: nobody has chosen one */
    LIST_ENTRY ReadyListEntry;

    /* Waiting. Wait blocks of more objects than fit here come from the caller. */
    KIRQL WaitIrql;
    KPROCESSOR_MODE WaitMode;
    BOOLEAN Alertable, WaitNext;
    UCHAR WaitReason;
    LONG WaitStatus;
    ULONG WaitType;
    ULONG WaitCount;
    PKWAIT_BLOCK WaitBlockList;
    KWAIT_BLOCK WaitBlock[THREAD_WAIT_OBJECTS + 1];
    KTIMER Timer;              /* time-out and delay */
    struct _KQUEUE *Queue;     /* it belongs to: the one it last took an entry from */
    LIST_ENTRY QueueListEntry; /* in that queue's ThreadListHead */
    PLIST_ENTRY QueueEntry;    /* what the queue gave it while it waited */

    /* APCs. KernelApcDisable < 0: in a critical region; SpecialApcDisable < 0: in a guarded region. */
    union {
        struct {
            SHORT KernelApcDisable, SpecialApcDisable;
        };
        ULONG CombinedApcDisable;
    };
    KAPC_STATE ApcState;            /* of the process the thread is in now */
    KAPC_STATE SavedApcState;       /* of its own, while it is attached to another */
    PKAPC_STATE ApcStatePointer[2]; /* by environment: its own process, the one attached to */
    UCHAR ApcStateIndex;            /* 1 = it is attached */
    BOOLEAN ApcQueueable;

    PKPROCESS Process;
    LIST_ENTRY ThreadListEntry;
    PKSTART_ROUTINE SystemRoutine; /* ours, where the thread begins; calls StartRoutine */
    PVOID SystemContext;
    PKSTART_ROUTINE StartRoutine;
    PVOID StartContext;

    struct _VF_CALLBACK *Callback; /* innermost callback this thread runs below DISPATCH_LEVEL */
    ULONG CreatedBy;               /* stack id, see vf.h */
    KI_HELD Held;                  /* mutexes */
    ULONG ResourceCount;
    BOOLEAN SystemThread;
    BOOLEAN StackPinned; /* KeSetKernelStackSwapEnable(FALSE) */
    UINT64 KernelTime;   /* virtual time it has taken below DIRQL (runtime.c) */
    BOOLEAN UserEnds;    /* it is to end as soon as it is back in user mode: waits of UserMode end at once */
    PVOID Teb;
};

C_ASSERT(FIELD_OFFSET(struct _KTHREAD, KernelStack) == 0x40);  /* context.S */
C_ASSERT(FIELD_OFFSET(struct _KTHREAD, PreviousMode) == 0x48); /* entry.S */

#define KI_NO_IDEAL 0x80

/* ---- Interface ------------------------------------------------------------------------------------------------- */

/* Virtual time since boot, 100 ns units. */
/* Work for the kernel whoever the thread works for, as the Zw forms of services do: what is opened in between are the kernel's
 * handles. */
static inline KPROCESSOR_MODE KiBeginKernelMode(VOID)
{
    PKTHREAD Thread = KeGetCurrentThread();
    KPROCESSOR_MODE Mode = Thread->PreviousMode;
    Thread->PreviousMode = KernelMode;
    return Mode;
}

static inline NTSTATUS KiEndKernelMode(KPROCESSOR_MODE Mode, NTSTATUS Status)
{
    KeGetCurrentThread()->PreviousMode = Mode;
    return Status;
}

static inline UINT64 KiNow(void)
{
    return KiDoor->now;
}

/* The wall clock: 100 ns since 1601. For the kernel's own time stamps, which cost no virtual time. */
INT64 KiSystemTime(VOID);
INT64 KiSetSystemTime(INT64 Time); /* what it was */
VOID KiMoveAbsoluteTimers(INT64 Shift);

/* Let Duration (100 ns) of virtual time pass on this processor: a stall, a clock read. Interrupts become pending. */
VOID KiSpendTime(UINT64 Duration);
VOID KiPassTime(UINT64 Duration); /* the same, but not as being busy: no sign of a loop without end */
/* runtime.c: the running thread has taken Duration. */
VOID KiChargeThread(PKI_PROCESSOR Processor, UINT64 Duration);
/* What the machine does counts against the busy time of KiSetTimeLimit, without time going on. */
VOID KiCountBusy(UINT64 Duration);

/* A delivery point at the current IRQL. */
VOID KiDeliver(VOID);

/* Ask for an interrupt of Level (or KI_SOURCE_*) on a processor; delivered there as soon as its IRQL and interrupt flag
 * allow. */
VOID KiRequestInterrupt(PKI_PROCESSOR Processor, ULONG Level);

/* Unchecked forms for the kernel's own use. A raise to DISPATCH_LEVEL closes pageable memory (mm/mi.h); lowering delivers
 * what is pending. */
extern ULONG MiOpenWindows;
VOID MiCloseWindows(VOID);
VOID KiDispatchPending(VOID);
static inline VOID KiSetIrql(PKI_PROCESSOR Processor, KIRQL NewIrql)
{
    if (NewIrql >= DISPATCH_LEVEL && MiOpenWindows && Processor->Irql < DISPATCH_LEVEL)
        MiCloseWindows();
    Processor->Irql = NewIrql;
}
static inline KIRQL KiRaiseIrql(KIRQL NewIrql)
{
    PKI_PROCESSOR Processor = KiProcessor();
    KIRQL OldIrql = Processor->Irql;

    KiSetIrql(Processor, NewIrql);
    return OldIrql;
}
static inline VOID KiLowerIrql(KIRQL NewIrql)
{
    PKI_PROCESSOR Processor = KiProcessor();

    Processor->Irql = NewIrql;
    if (Processor->PendingLevels >> (NewIrql + 1))
        KiDispatchPending();
}

/* irql.c: a driver's `mov cr8`. Context: where it was interrupted for that; NULL = it calls. */
VOID KiSetCr8(UINT64 Level, UINT64 Site, const CONTEXT *Context);

/* What, a driver's routine, must be done at the virtual time Limit (100 ns since boot; 0 = never), and before the processors
 * have been busy for Busy more (0 = any time); else a finding. */
VOID KiSetTimeLimit(UINT64 Limit, UINT64 Busy, PCSTR What);
BOOLEAN KiIsWithinLimit(UINT64 Time);

/* Make a thread whose stack is at MmCreateKernelStack's slot; it does not run before KiReadyThread. StackBase may lie below
 * the slot's end when the caller keeps something there. SystemRoutine must not return. */
VOID KiInitializeThread(PKTHREAD Thread, PKPROCESS Process, UINT64 StackSlot, PVOID StackBase,
                        PKSTART_ROUTINE SystemRoutine, PVOID SystemContext);
VOID KiReadyThread(PKTHREAD Thread);
/* A finding if the current thread, about to end, owns a mutex. Inside its callback. */
VOID KiCheckMutexes(PKTHREAD Thread);
/* End the current thread: signals it; Reap is called on another stack once it runs no more. */
DECLSPEC_NORETURN VOID KiTerminateThread(LONG ExitStatus, VOID (*Reap)(PKTHREAD Thread));

/* The bug check itself: callbacks, blue screen, end. Findings come here by VfCommit. */
DECLSPEC_NORETURN VOID KiBugCheck(ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4);

/* A bug check of the kernel itself (an invariant of ours is broken): exit status 70, never blamed on a driver. */
DECLSPEC_NORETURN VOID KiInternalError(PCSTR Format, ...);
#define KI_ASSERT(Condition) ((Condition) ? (VOID)0 : KiInternalError("%s:%d: %s", __FILE_NAME__, __LINE__, #Condition))

/* The public headers read these from a page at an address we can't have. */
#undef KeQuerySystemTime
#undef KeQueryTickCount
#undef KeQueryInterruptTime
#define KeQuerySystemTime KiExportKeQuerySystemTime
#define KeQueryTickCount KiExportKeQueryTickCount
VOID KiExportKeQuerySystemTime(PLARGE_INTEGER CurrentTime);
VOID KiExportKeQueryTickCount(PLARGE_INTEGER TickCount);

/* Exported by Windows, declared by no public header. */
VOID KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment, PKKERNEL_ROUTINE KernelRoutine,
                     PKRUNDOWN_ROUTINE RundownRoutine, PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode,
                     PVOID Context);
BOOLEAN KeInsertQueueApc(PKAPC Apc, PVOID SystemArgument1, PVOID SystemArgument2, KPRIORITY Increment);
BOOLEAN KeRemoveQueueApc(PKAPC Apc);

KAFFINITY KeSetAffinityThread(PKTHREAD Thread, KAFFINITY Affinity);
VOID KeGenericCallDpc(PKDEFERRED_ROUTINE Routine, PVOID Context);
VOID KeSignalCallDpcDone(PVOID SystemArgument1);
LOGICAL KeSignalCallDpcSynchronize(PVOID SystemArgument2);

/* ---- Between the files of nt/ke ------------------------------------------------------------------------------------ */

/* processor.c */
VOID KiInitializeProcessors(VOID);
VOID KiInitializeArea(ULONG Number);
VOID KiSwitchTo(PKI_PROCESSOR Target);
VOID KiBuildStack(PVOID StackBase, VOID (*Routine)(PVOID), PVOID Argument, UINT64 *Stack);
DECLSPEC_NORETURN VOID KiIdleLoop(PVOID Context);
VOID KiSpin(PVOID Lock);
UINT64 KiNextEvent(VOID); /* when a timer expires or a device does something next; (UINT64)-1 = never */
BOOLEAN KiSpinOnce(VOID); /* let others go on; FALSE = nothing is left that could end the wait */
extern ULONG KiSpinRounds;

/* schedule.c */
#define KI_EVERY 1000 /* calls between two delivery points, unless a schedule says otherwise */
BOOLEAN KiHasWork(PKI_PROCESSOR Processor);
PKI_PROCESSOR
KiNextBusy(PKI_PROCESSOR Self); /* the schedule's choice among the others that have work; NULL = none has */
VOID KiBeginSchedule(VOID);
BOOLEAN KiPicksTimers(VOID); /* a strategy other than in order is at work */

/* irql.c: KiDispatchPending runs what the present level lets through. */
/* Note where a driver raised the level, for reports. */
static inline VOID KiNoteRaise(KIRQL OldIrql, KIRQL NewIrql, KI_LEVEL_CAUSE Cause, PVOID Site, PVOID Object)
{
    KI_RAISE *Raise = &KiProcessor()->Raise[NewIrql & 15];
    Raise->Cause = Cause;
    Raise->From = OldIrql;
    Raise->Site = (UINT64)Site;
    Raise->Object = Object;
}

/* dispatch.c (DISPATCH_LEVEL unless said otherwise) */
VOID KiInitializeDispatcher(VOID);
VOID KiInitializeProcessorDispatcher(ULONG Number);
VOID KiExitDispatcher(KIRQL OldIrql); /* take the thread switch that became due, then lower */
LONG KiSwapThread(VOID);              /* the current thread stops here; returns its WaitStatus */
PKTHREAD KiFindElsewhere(PKI_PROCESSOR Processor);
VOID KiPreempt(VOID);
VOID KiQuantumEnd(VOID);
BOOLEAN KiYield(VOID);
VOID KiUnwaitThread(PKTHREAD Thread, LONG WaitStatus, KPRIORITY Increment);
VOID KiWaitTest(PVOID Object, KPRIORITY Increment); /* Object became signalled: wake who can go */
VOID KiUnlinkWaits(PKTHREAD Thread);
PKTHREAD KiFindWaiter(UINT64 Start, UINT64 Bytes, PVOID *Object);
BOOLEAN KiSatisfyWait(DISPATCHER_HEADER *Object, PKTHREAD Thread, LONG *Status);
BOOLEAN KiIsSignalled(DISPATCHER_HEADER *Object, PKTHREAD Thread);
BOOLEAN KiWakeQueueWaiter(struct _KQUEUE *Queue);
VOID KiLeaveQueue(PKTHREAD Thread);
VOID KiSetThreadPriority(PKTHREAD Thread, KPRIORITY Priority);
VOID KiWaitingContext(PKTHREAD Thread, PCONTEXT Context); /* of a thread that does not run: enough to walk its stack */

/* ipi.c: calls on all processors */
VOID KiIpiInterrupt(VOID);
enum { KI_IPI_CALL = 1, KI_IPI_POWER = 2 };

/* highest.c, power.c, profile.c: sources that the operator fires */
VOID KiNmiInterrupt(VOID);
VOID KiMachineCheck(VOID);
VOID KiProfileInterrupt(VOID);
VOID KiPowerInterrupt(VOID);
extern BOOLEAN KiMains;
extern KEVENT KiPowerEvent; /* set when the power interrupt has been handled */
/* The interrupt reaches processor Number and, unless that holds it off, has been handled when this returns. Below
 * DISPATCH_LEVEL. FALSE: there is no such processor. */
BOOLEAN KiFire(ULONG Number, ULONG Source);

/* change.c */
NTSTATUS KiAddProcessor(VOID);

/* timer.c */
VOID KiInitializeTimers(VOID);
BOOLEAN KiInsertTimer(PKTIMER Timer, LARGE_INTEGER DueTime, ULONG Period, ULONG Stack);
BOOLEAN KiRemoveTimer(PKTIMER Timer);
UINT64 KiNextDueTime(VOID); /* (UINT64)-1 = none */
/* How long the thread waits is not the driver's world but the operator's: no schedule picks that timer as the next one. */
VOID KiSetPatience(PKTHREAD Thread, BOOLEAN Patience);
BOOLEAN KiTimerBeforePatience(VOID);
BOOLEAN
KiTurnTimers(BOOLEAN Awake); /* find what is due now; TRUE = something is. Awake: the processor was not asleep */
VOID KiExpireTimers(VOID);
extern LIST_ENTRY KiExpired; /* timers that are due, in order; still "inserted" for their owners */
static inline BOOLEAN KiTimersPending(VOID)
{
    return !IsListEmpty(&KiExpired);
}
VOID KiForgetTimerDpc(PKDPC Dpc);

/* A timer whose period is not in milliseconds, or that does not wake a sleeping processor (nt/ex/timer.c). */
typedef struct _KI_LONG_TIMER {
    KTIMER Timer; /* DueTime: the latest time at which it expires */
    UINT64 Period;
    UINT64 NominalDue;
    UINT64 Tolerance; /* (UINT64)-1: it never wakes a processor */
    LIST_ENTRY NoWakeEntry;
    BOOLEAN NoWake;
} KI_LONG_TIMER, *PKI_LONG_TIMER;
VOID KiInitializeLongTimer(PKI_LONG_TIMER Timer, TIMER_TYPE Type, BOOLEAN NoWake);
VOID KiInsertLongTimer(PKI_LONG_TIMER Timer, LARGE_INTEGER DueTime, UINT64 Period, UINT64 Tolerance);

/* dpc.c */
VOID KiRetireDpcs(VOID);
VOID KiUnqueueDpc(PKI_PROCESSOR Processor, PKDPC Dpc);
BOOLEAN KiQueueDpc(PKDPC Dpc, PVOID Source, ULONG Stack, PVOID Argument1, PVOID Argument2);
VOID KiCallDpc(PKDPC Dpc, PCSTR What);
#define KI_DPC_PROCESSOR(Dpc) KiProcessorBlock((Dpc)->Number % MAXIMUM_PROC_PER_GROUP) /* of a queued one */
#define KI_DPC_STACK(Dpc) (((ULONG *)(Dpc))[1])
/* KDPC.DpcData while queued: the timer it belongs to, or this. */
#define KI_DPC_QUEUED ((PVOID)1)

/* threaded.c */
VOID KiStartDpcThreads(VOID);
VOID KiStartDpcThread(PKI_PROCESSOR Processor);
VOID KiWakeDpcThread(PKI_PROCESSOR Processor); /* DISPATCH_LEVEL, on that processor */
extern BOOLEAN KiThreadedDpcs;                 /* FALSE: they run as ordinary ones */

/* watchdog.c: virtual time has been spent by the running processor */
VOID KiChargeTime(UINT64 Duration);
VOID KiQueueTimerDpc(PKDPC Dpc, PKTIMER Timer, ULONG Stack);
PKDPC KiFindQueuedDpc(UINT64 Start, UINT64 Bytes, BOOLEAN ByRoutine, ULONG *Stack);

/* apc.c */
BOOLEAN KiApcCanRun(PKTHREAD Thread); /* a kernel APC is queued that no region holds off */
VOID KiDeliverApcs(VOID);
VOID KiCallApcKernelRoutine(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *Argument1, PVOID *Argument2);
VOID KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment, PKKERNEL_ROUTINE KernelRoutine,
                     PKRUNDOWN_ROUTINE RundownRoutine, PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode,
                     PVOID Context);
BOOLEAN KeInsertQueueApc(PKAPC Apc, PVOID SystemArgument1, PVOID SystemArgument2, KPRIORITY Increment);

VOID KiInitializeApcStates(PKTHREAD Thread, PKPROCESS Process);
VOID KiEndUserWaits(PKTHREAD Thread); /* UserEnds was set */

/* clock.c */
VOID KiInitializeClock(VOID);
VOID KiAdvanceTo(UINT64 Time);
VOID KiClockInterrupt(VOID);

/* context.S, entry.S */
VOID KiSwapContext(PKTHREAD Old, PKTHREAD New);
VOID KiCallOnStack(VOID (*Routine)(VOID), PVOID StackBase);
VOID KiCaptureFrame(PCONTEXT Context);
/* First-chance dispatch, then the bug check of an unhandled exception. Returns to continue at *Context. */
VOID KiDispatchException(PEXCEPTION_RECORD Record, PCONTEXT Context);
VOID KiTrap(VOID);
VOID KiResumeTrap(VOID);
VOID KiPatchedWriteCr8(VOID);
VOID KiPatchedEnableInterrupts(VOID);
VOID KiPatchedPause(VOID);
VOID KiPatchedAccess(VOID);
extern ULONG KiXstateBytes;
