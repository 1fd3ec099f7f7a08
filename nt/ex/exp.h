/*
 * Executive support: pool, work items, lookaside lists, fast mutexes, resources.
 */
#pragma once

VOID ExInitializePool(VOID);
VOID ExInitializeWorkers(VOID);    /* needs threads */
VOID ExpInitializeCallbacks(VOID); /* called by ExInitializeWorkers */

/* The kernel's own allocations: not tracked as a driver's, never NULL-checked away (no memory is an internal error). */
PVOID ExpAllocate(SIZE_T Bytes, ULONG Tag); /* nonpaged, zeroed */
/* The same, and NULL when there is no memory: for amounts that a driver decides. */
PVOID ExpTryAllocate(SIZE_T Bytes, ULONG Tag);
VOID ExpFree(PVOID Block);

/* At unload: a finding for each place that still has blocks allocated by Image (leak), grouped by allocating stack. */
VOID ExpReportLeaks(UINT64 Base, UINT64 Bytes, PCSTR Name);

/* For reports: describe Address if it lies in pool ("pool 'Tag ' + 0x10, 64 bytes"); *Stack: allocated at. FALSE = not
 * pool. */
/* Address was a block's with that tag, freed since. */
BOOLEAN ExpWasFreed(PVOID Address, ULONG Tag, ULONG *FreedAt);
BOOLEAN ExpDescribePool(UINT64 Address, PCHAR Buffer, ULONG Bytes, ULONG *AllocatedAt, ULONG *FreedAt);

/* Take a queued work item out of its queue (the verifier does so when its memory goes). */
VOID ExpWithdrawWorkItem(PVOID Item);

/* Is Address in a live block of executable pool (NonPagedPool, as against NonPagedPoolNx). */
BOOLEAN ExpMayExecute(UINT64 Address);
