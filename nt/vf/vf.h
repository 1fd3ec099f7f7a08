/*
 * The verifier: contracts of routines and callbacks, findings, and the objects a driver has handed to the kernel.
 *
 * A finding is composed with VfFinding, VfNote* and VfCommit, all without a delivery point between them. VfCommit
 * records it and, unless the user asked to go on (--on-finding=continue), makes it a bug check; so whatever follows
 * VfCommit must carry on as a free build of Windows would.
 */
#pragma once

/* ---- Stacks ---------------------------------------------------------------------------------------------------- */

/* A captured stack is a number: equal stacks have equal numbers. 0 = none. */
ULONG VfCaptureStack(VOID); /* from the caller of the routine that calls this */
ULONG VfCaptureStackFrom(const CONTEXT *Context);
ULONG VfStackOf(const UINT64 *Frames, ULONG Count);
ULONG VfStackFrames(ULONG Stack, UINT64 Frames[DOOR_FRAMES]);
BOOLEAN VfStackIsOf(ULONG Stack, UINT64 Base); /* is the innermost driver on it the image at Base? */

/* ---- Findings -------------------------------------------------------------------------------------------------- */

/* Start a finding. Rule is its stable id ("pool.double-free"); Code and Parameters are Windows' bug check. */
VOID VfFinding(PCSTR Rule, ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4);
VOID VfSubject(PCSTR Subject);
VOID VfText(PCSTR Format, ...);
/* Kind: enum door_note_kind. Object may be NULL. Origin may be NULL. Text and Origin may hold "%o" for the object. */
VOID VfNote(ULONG Kind, ULONG Stack, PVOID Object, PCSTR Origin, PCSTR Text, ...);
/* The caller's stack with its origin (which callback of what), and how the present level came about. */
VOID VfNoteCaller(const CONTEXT *ContextOrNull);
VOID VfNoteCall(const CONTEXT *Context); /* the same, where Context is what a call returns to */
VOID VfNoteLevel(VOID);
/* Take frames of ours off the inner end of the last note. */
VOID VfDropKernel(VOID);
VOID VfCommit(VOID);
/* After VfCommit, where nothing sensible can follow even with --on-finding=continue: the bug check just composed. */
DECLSPEC_NORETURN VOID VfContinueIsImpossible(VOID);
/* free.c: --build=free, and a free build has no eye for the rule; was that said before? */
BOOLEAN VfIsIgnored(PCSTR Rule);
BOOLEAN VfIsIgnoredBefore(UINT64 Key);
/* Notes for each thread that waits: for whom, since where. */
VOID VfNoteWaiters(VOID);
/* A note of the driver's routine that runs now, if one does. */
VOID VfNoteRunning(VOID);
/* The blue screen event. */
VOID VfRecordStop(ULONG Code, UINT64 P1, UINT64 P2, UINT64 P3, UINT64 P4);
/* Append an event with the header filled in. */
VOID VfRecord(ULONG Type, const VOID *Payload, ULONG Bytes);

/* A remark for the user that is no finding. */
VOID VfRemark(PCSTR Format, ...);

/* ---- Callbacks ------------------------------------------------------------------------------------------------- */

typedef struct _VF_CALLBACK {
    UINT64 Seal; /* first, where a driver that writes past an array on its stack gets to first */
    struct _VF_CALLBACK *Outer;
    PCSTR Contract; /* name of its row: "KDEFERRED_ROUTINE" */
    PCSTR What;     /* "DPC of timer %o", "work item %o", "DriverEntry" */
    PVOID Routine, Object;
    ULONG Stack;     /* who set, queued or registered it */
    PCSTR StackText; /* "The timer was set at:" */
    KIRQL Irql;      /* on entry */
    ULONG SpinLocks;
    UINT64 Frame; /* RSP on entry: tracked objects below it on this stack are gone when it returns */
} VF_CALLBACK, *PVF_CALLBACK;

/* A callback whose memory the driver's stack frames have overwritten says nothing any more: NULL. */
#define VF_SEAL(Callback) (~(UINT64)(Callback))
static inline PVF_CALLBACK VfIntact(PVF_CALLBACK Callback)
{
    return Callback && Callback->Seal == VF_SEAL(Callback) ? Callback : NULL;
}

/* Around every call of a driver's routine by the kernel. Leave checks level, locks and objects on the stack. */
/* The innermost one that runs on this processor; NULL = none. */
PVF_CALLBACK VfCurrentCallback(VOID);
VOID VfEnterCallback(PVF_CALLBACK Callback);
VOID VfLeaveCallback(PVF_CALLBACK Callback);
/* For findings that are about a routine as a whole: it, and who set, queued or created it. */
VOID VfNoteCallback(PVF_CALLBACK Callback);

/* ---- Objects a driver has handed over ---------------------------------------------------------------------------- */

typedef enum _VF_OBJECT_KIND {
    VfTimer,       /* set and not yet expired (or periodic) */
    VfDpc,         /* queued: found in the queues, not entered */
    VfTimerDpc,    /* of a set timer; the last one that was set, if several share it */
    VfWorkItem,    /* queued */
    VfRunningItem, /* whose routine has begun and not returned: found in the threads, not entered */
    VfLookaside,   /* initialised and not deleted */
    VfResource,    /* initialised and not deleted */
    VfThread,      /* system thread whose routine lies in a driver: found in the threads, not entered */
    VfInterrupt,   /* connected; the memory is ours */
    VfDmaAdapter,
    VfExTimer,        /* allocated by ExAllocateTimer and not deleted */
    VfCallbackObject, /* registered callback or notification; freed by its unregister routine */
} VF_OBJECT_KIND;

/* The kernel holds Object (Bytes long) from now on; Routine (or NULL) lies in the driver that must not go away before.
 * Stack: who handed it over. A second call for the same object only replaces Routine and Stack. */
VOID VfTrack(PVOID Object, ULONG Bytes, VF_OBJECT_KIND Kind, PVOID Routine, ULONG Stack);
VOID VfUntrack(PVOID Object, VF_OBJECT_KIND Kind);
BOOLEAN VfIsTracked(PVOID Object);
/* Stack given to VfTrack, 0 if Object is not tracked. */
ULONG VfTrackedStack(PVOID Object);
/* What must not be in memory that goes away is counted by the page it begins in, under a hash of the page: a free looks at
 * two counts, and only where one is not zero into the queues and tables themselves. */
#define VF_PAGES 4096
typedef union _VF_PAGE {
    struct {
        ULONG Objects; /* tracked */
        ULONG Dpcs;    /* queued */
        ULONG Waits;   /* wait blocks for objects there */
        ULONG Edges;   /* of locks that were acquired in an order */
    };
    UINT64 Any[2];
} VF_PAGE, *PVF_PAGE;
extern VF_PAGE VfPages[VF_PAGES];
#define VfPageOf(Address) (&VfPages[((UINT64)(Address) >> 12) % VF_PAGES])
extern ULONG VfObjectsOnStacks, VfDpcsOnStacks;
/* The sum of what is counted for the pages of a range. One that touches it may begin in the page before. */
static inline VF_PAGE VfCountsOf(UINT64 Start, UINT64 Bytes)
{
    UINT64 First = (Start >> 12) - 1, Pages = ((Start + Bytes - 1) >> 12) - First + 1;
    VF_PAGE Sum = {.Any = {0, 0}};

    for (UINT64 i = 0; i < Pages && i < VF_PAGES; i++) {
        PVF_PAGE Page = &VfPages[(First + i) % VF_PAGES];
        Sum.Any[0] |= Page->Any[0];
        Sum.Any[1] |= Page->Any[1];
    }
    return Sum;
}

/* Memory goes away: a finding for the first object tracked in it. Why: "freed", "unloaded", "left". Each block that is freed comes
 * here, and hardly any has anything in it. */
VOID VfObjectsGo(UINT64 Start, UINT64 Bytes, PCSTR Why, VF_PAGE Here);
static inline VOID VfRangeGoes(UINT64 Start, UINT64 Bytes, PCSTR Why)
{
    VF_PAGE Here = VfCountsOf(Start, Bytes);

    if (Here.Any[0] | Here.Any[1])
        VfObjectsGo(Start, Bytes, Why, Here);
}
/* Callback has returned; its frames lay below Frame on the current stack. */
VOID VfStackGoes(UINT64 Frame, PVF_CALLBACK Callback);
/* An image goes away, whose Unload (or NULL) has been called: finding for objects in it, and for those whose routine lies in it. */
VOID VfImageGoes(UINT64 Base, UINT64 Bytes, PCSTR Name, PVOID Unload);

/* ---- Locks (lockorder.c) ----------------------------------------------------------------------------------------- */

typedef enum _VF_LOCK_KIND { VfSpinLock, VfFastMutex, VfMutex } VF_LOCK_KIND;

/* The caller will wait for Lock as long as it takes, if it is not free: call it whether or not it is. */
VOID VfWaitsForLock(PVOID Lock, VF_LOCK_KIND Kind);
static inline VOID VfWantsLock(PVOID Lock, VF_LOCK_KIND Kind)
{
    if (KiProcessor()->Held.Count || KeGetCurrentThread()->Held.Count)
        VfWaitsForLock(Lock, Kind);
}
static inline VOID VfAcquiredLock(KI_HELD *List, PVOID Lock, PVOID Site)
{
    if (List->Count < KI_HELD_MOST) {
        List->Entry[List->Count].Lock = Lock;
        List->Entry[List->Count].Site = (UINT64)Site;
        List->Count++;
    }
}
static inline BOOLEAN VfHoldsLock(const KI_HELD *List, PVOID Lock)
{
    for (ULONG i = List->Count; i-- > 0;)
        if (List->Entry[i].Lock == Lock)
            return TRUE;
    return FALSE;
}
VOID VfReleasedInside(KI_HELD *List, PVOID Lock);
static inline VOID VfReleasedLock(KI_HELD *List, PVOID Lock)
{
    if (List->Count && List->Entry[List->Count - 1].Lock == Lock)
        List->Count--;
    else
        VfReleasedInside(List, Lock);
}
VOID VfLocksGo(UINT64 Start, UINT64 Bytes); /* memory is given back */
VOID VfNoteHolder(PVOID Lock);

/* ---- Data races (race.c) ------------------------------------------------------------------------------------------ */

VOID VfForgetAccesses(VOID); /* a schedule begins */

/* ---- Binding ----------------------------------------------------------------------------------------------------- */

VOID VfInitialize(VOID);
/* The routine behind a thunk; any other address as it is. */
UINT64 VfRoutineAt(UINT64 Address);
/* door_up.bind: the address for an import; thunks for checked drivers, a reporting stub for what is missing. */
UINT64 DOOR_CALL VfBind(const struct door_import *Import);
/* For tables of routines handed to drivers: Target behind the checks of a row. */
UINT64 VfBindRoutine(PCSTR Contract, UINT64 Target);
/* A routine that does not exist here and says so, by this name, when it is called. */
UINT64 VfBindAbsent(PCSTR Module, PCSTR Name);

/* The rows, made by the build from contracts/ (build/gen/contracts_nt.c). */
typedef struct _VF_CONDITION {
    UCHAR Predicate; /* VF_PREDICATE */
    UCHAR Argument;  /* 1-based */
    UCHAR Maximum;   /* the maximum when the predicate holds */
    UCHAR Spare;
} VF_CONDITION;

typedef enum _VF_PREDICATE {
    VfNever,
    VfWaits,      /* the PLARGE_INTEGER argument is NULL or points to a time other than zero */
    VfTrue,       /* the BOOLEAN argument is TRUE */
    VfPagedPool,  /* the POOL_TYPE argument is a paged pool */
    VfPoolFlags,  /* the POOL_FLAGS argument asks for paged pool */
    VfUserMode,   /* the KPROCESSOR_MODE argument is UserMode */
    VfNotNull,    /* the pointer argument is not NULL */
    VfWideFormat, /* the format string prints wide characters (%ws, %S, %wZ, %lc...) */
    VfPagedBlock, /* the pointer argument lies in paged pool */
} VF_PREDICATE;

typedef struct _VF_CONTRACT {
    PCSTR Name;
    UCHAR Minimum, Maximum;
    UCHAR ConditionCount;
    UCHAR Spare;
    USHORT Stop;    /* bug check of a violation: 0x0A or 0xC4 */
    USHORT SubCode; /* first parameter for 0xC4 */
    VF_CONDITION Condition[2];
} VF_CONTRACT;

extern const VF_CONTRACT VfContracts[]; /* in strcmp order of Name */
extern const ULONG VfContractCount;
const VF_CONTRACT *VfContractOf(PCSTR Name);
PCSTR VfLevelName(KIRQL Irql); /* "DISPATCH_LEVEL" */
