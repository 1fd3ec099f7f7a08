/*
 * Interlocked lists and arithmetic. One host thread runs all processors and none of this is a delivery point, so plain
 * code is atomic; the formats are Windows', for drivers read and initialise them inline.
 *
 * SLIST_HEADER on x64: depth (16 bits) and sequence (48) in the first word, the first entry's address in the second,
 * whose low four bits belong to the header. (docs: ExInitializeSListHead, ExInterlockedPushEntrySList,
 * ExQueryDepthSList)
 */
#include "nt.h"

#undef InitializeSListHead
#undef ExQueryDepthSList

static inline PSLIST_ENTRY ExpFirstEntry(PSLIST_HEADER Head)
{
    return (PSLIST_ENTRY)(Head->Region & ~15ull);
}

static inline VOID ExpSetFirst(PSLIST_HEADER Head, PSLIST_ENTRY First, ULONG Depth)
{
    UINT64 Sequence = (Head->Alignment >> 16) + 1;

    Head->Alignment = (Sequence << 16) | (Depth & 0xffff);
    Head->Region = (UINT64)First | (Head->Region & 15);
}

VOID InitializeSListHead(PSLIST_HEADER SListHead)
{
    if ((UINT64)SListHead & 15)
        ExRaiseStatus(STATUS_DATATYPE_MISALIGNMENT);
    SListHead->Alignment = 0;
    SListHead->Region = 0;
}

PSLIST_ENTRY ExpInterlockedPushEntrySList(PSLIST_HEADER ListHead, PSLIST_ENTRY ListEntry)
{
    PSLIST_ENTRY First = ExpFirstEntry(ListHead);

    ListEntry->Next = First;
    ExpSetFirst(ListHead, ListEntry, (ULONG)(ListHead->Alignment & 0xffff) + 1);
    return First;
}

PSLIST_ENTRY ExpInterlockedPopEntrySList(PSLIST_HEADER ListHead)
{
    PSLIST_ENTRY First = ExpFirstEntry(ListHead);

    if (First)
        ExpSetFirst(ListHead, First->Next, (ULONG)(ListHead->Alignment & 0xffff) - 1);
    return First;
}

PSLIST_ENTRY ExpInterlockedFlushSList(PSLIST_HEADER ListHead)
{
    PSLIST_ENTRY First = ExpFirstEntry(ListHead);

    if (First)
        ExpSetFirst(ListHead, NULL, 0);
    return First;
}

USHORT ExQueryDepthSList(PSLIST_HEADER SListHead)
{
    return (USHORT)(SListHead->Alignment & 0xffff);
}

PSLIST_ENTRY FirstEntrySList(const SLIST_HEADER *SListHead)
{
    return ExpFirstEntry((PSLIST_HEADER)SListHead);
}

PSLIST_ENTRY NTAPI RtlFirstEntrySList(const SLIST_HEADER *ListHead)
{
    return ExpFirstEntry((PSLIST_HEADER)ListHead);
}

/* ---- Doubly and singly linked lists under a spin lock ------------------------------------------------------------ */

#undef ExInterlockedInsertHeadList
PLIST_ENTRY FASTCALL ExInterlockedInsertHeadList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    PLIST_ENTRY First = IsListEmpty(ListHead) ? NULL : ListHead->Flink;

    InsertHeadList(ListHead, ListEntry);
    return First;
}

#undef ExInterlockedInsertTailList
PLIST_ENTRY FASTCALL ExInterlockedInsertTailList(PLIST_ENTRY ListHead, PLIST_ENTRY ListEntry, PKSPIN_LOCK Lock)
{
    PLIST_ENTRY Last = IsListEmpty(ListHead) ? NULL : ListHead->Blink;

    InsertTailList(ListHead, ListEntry);
    return Last;
}

#undef ExInterlockedRemoveHeadList
PLIST_ENTRY FASTCALL ExInterlockedRemoveHeadList(PLIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    return IsListEmpty(ListHead) ? NULL : RemoveHeadList(ListHead);
}

#undef ExInterlockedPushEntryList
PSINGLE_LIST_ENTRY FASTCALL ExInterlockedPushEntryList(PSINGLE_LIST_ENTRY ListHead, PSINGLE_LIST_ENTRY ListEntry,
                                                       PKSPIN_LOCK Lock)
{
    PSINGLE_LIST_ENTRY First = ListHead->Next;

    ListEntry->Next = First;
    ListHead->Next = ListEntry;
    return First;
}

#undef ExInterlockedPopEntryList
PSINGLE_LIST_ENTRY FASTCALL ExInterlockedPopEntryList(PSINGLE_LIST_ENTRY ListHead, PKSPIN_LOCK Lock)
{
    PSINGLE_LIST_ENTRY First = ListHead->Next;

    if (First)
        ListHead->Next = First->Next;
    return First;
}

/* ---- Arithmetic under a spin lock ---------------------------------------------------------------------------------
 */

#undef ExInterlockedAddLargeInteger
LARGE_INTEGER NTAPI ExInterlockedAddLargeInteger(PLARGE_INTEGER Addend, LARGE_INTEGER Increment, PKSPIN_LOCK Lock)
{
    LARGE_INTEGER Old = *Addend;

    Addend->QuadPart += Increment.QuadPart;
    return Old;
}

#undef ExInterlockedAddUlong
ULONG FASTCALL ExInterlockedAddUlong(PULONG Addend, ULONG Increment, PKSPIN_LOCK Lock)
{
    ULONG Old = *Addend;

    *Addend += Increment;
    return Old;
}
