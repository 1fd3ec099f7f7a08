/*
 * The kernel transaction manager: transaction managers, resource managers, transactions, and the enlistments that join
 * the last two.
 *
 * An enlistment holds references on its transaction and resource manager, a resource manager one on its transaction
 * manager. A transaction is on the list of all from its creation until its object goes.
 */
#pragma once

#define _KTMTYPES_
#include <ktmtypes.h>

typedef enum _TM_PHASE {
    TmActive,
    TmPrePreparing,
    TmPrePrepared, /* a superior decides how to go on */
    TmPreparing,
    TmPrepared,
    TmSinglePhase, /* the only enlistment decides */
    TmCommitting,
    TmCommitted,
    TmRollingBack,
    TmAborted,
} TM_PHASE;

typedef struct _KTM {
    LIST_ENTRY Entry; /* of all */
    GUID Id;
    LARGE_INTEGER Clock;
    LIST_ENTRY ResourceManagers;
} KTM, *PKTM;

typedef struct _KENLISTMENT *PKENLISTMENT;
typedef NTSTATUS(NTAPI *PTM_RM_NOTIFICATION)(PKENLISTMENT Enlistment, PVOID RMContext, PVOID TransactionContext,
                                             ULONG Notification, PLARGE_INTEGER TmVirtualClock, ULONG ArgumentLength,
                                             PVOID Argument);

typedef struct _KRESOURCEMANAGER {
    LIST_ENTRY Entry; /* of the transaction manager */
    PKTM Tm;
    GUID Id;
    UNICODE_STRING Description;
    PTM_RM_NOTIFICATION Callback;
    PVOID Key;
    ULONG Stack;        /* who enabled callbacks */
    LIST_ENTRY Queue;   /* TM_NOTIFICATION, without a callback */
    KSEMAPHORE Waiting; /* as many as the queue has; what a handle is waited on for */
} KRESOURCEMANAGER, *PKRESOURCEMANAGER;

typedef struct _KTRANSACTION {
    KEVENT Ended; /* signalled when the outcome is known and everybody has been told */
    LIST_ENTRY Entry;
    GUID Id;
    TM_PHASE Phase;
    BOOLEAN Advancing;
    ULONG Awaited; /* answers of enlistments */
    LIST_ENTRY Enlistments, Participants;
    PKENLISTMENT Superior;
    ULONG IsolationLevel, IsolationFlags, Timeout;
    UNICODE_STRING Description;
    KTIMER Timer;
    KDPC Dpc;
    WORK_QUEUE_ITEM Item;
    BOOLEAN TimerSet;
} KTRANSACTION, *PKTRANSACTION;

typedef struct _KENLISTMENT {
    LIST_ENTRY Entry; /* of the transaction; empty: it takes no part any more */
    GUID Id;
    PKRESOURCEMANAGER Rm;
    PKTRANSACTION Transaction;
    ULONG Mask;
    BOOLEAN Superior;
    ULONG Asked; /* notification that wants an answer */
    PVOID Key;
    ULONG KeyReferences;
    PVOID Recovery; /* what its owner keeps with it, in pool */
    ULONG RecoveryBytes;
} KENLISTMENT;

/* The kernel's own part in a transaction. Both end it. */
typedef struct _TM_PARTICIPANT {
    LIST_ENTRY Entry;
    VOID (*End)(struct _TM_PARTICIPANT *Participant, BOOLEAN Committed);
} TM_PARTICIPANT, *PTM_PARTICIPANT;

extern LIST_ENTRY TmpManagers, TmpTransactions;
extern POBJECT_TYPE TmpTmType, TmpRmType, TmpTransactionType, TmpEnlistmentType;
VOID TmInitialize(VOID);
GUID TmpNewGuid(VOID);

/* ---- Protocol (protocol.c) --------------------------------------------------------------------------------------- */

NTSTATUS TmpCommit(PKTRANSACTION Transaction, BOOLEAN Wait);
NTSTATUS TmpRollback(PKTRANSACTION Transaction, BOOLEAN Wait);
/* An enlistment answers what it was asked. */
NTSTATUS TmpAnswer(PKENLISTMENT Enlistment, ULONG Asked);
NTSTATUS TmpReadOnly(PKENLISTMENT Enlistment);
NTSTATUS TmpReject(PKENLISTMENT Enlistment);
NTSTATUS TmpRollbackBy(PKENLISTMENT Enlistment);
/* A superior's order. */
NTSTATUS TmpOrder(PKENLISTMENT Enlistment, TM_PHASE Phase);
NTSTATUS TmpJoin(PKTRANSACTION Transaction, PTM_PARTICIPANT Participant);

/* ---- Notifications (notify.c) ------------------------------------------------------------------------------------ */

VOID TmpTell(PKENLISTMENT Enlistment, ULONG Notification);
NTSTATUS TmpTake(PKRESOURCEMANAGER Rm, PTRANSACTION_NOTIFICATION Buffer, ULONG Bytes, PLARGE_INTEGER Timeout,
                 PULONG Returned);
VOID TmpEmptyQueue(PKRESOURCEMANAGER Rm);
