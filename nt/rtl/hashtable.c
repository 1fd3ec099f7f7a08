/*
 * Dynamic hash tables (docs: RtlCreateHashTable, RtlInsertEntryHashTable, RtlLookupEntryHashTable,
 * RtlInitEnumerationHashTable, RtlInitWeakEnumerationHashTable, RtlExpandHashTable and their relatives).
 *
 * Linear hashing: with 2^n <= TableSize < 2^(n+1) buckets, DivisorMask is 2^n - 1 and Pivot counts the buckets of the
 * lower half that are split already. Expanding splits one bucket, contracting joins two, so neither takes long. Buckets
 * lie in segments that double in size: a bucket never moves.
 *
 * A chain is ordered by signature; the signature is the entry's own, 0 belongs to enumerators, which stand in the chain
 * while they are between two calls. Entries are the caller's, and so is the lock.
 */
#include "nt.h"

#define RTLP_TAG 'hsaH'
#define RTLP_FIRST 128 /* buckets to begin with */
#define RTLP_SEGMENTS 20
#define RTLP_MOST (RTLP_FIRST << (RTLP_SEGMENTS - 1))
#define RTLP_OWN 1 /* RTL_HASH_ALLOCATED_HEADER */
#define RTLP_ENUMERATOR 0

typedef struct _RTLP_BUCKETS {
    PLIST_ENTRY Segment[RTLP_SEGMENTS]; /* the first has RTLP_FIRST, each further one as many as all before it */
} RTLP_BUCKETS, *PRTLP_BUCKETS;

#define RtlpEntry(ALink) CONTAINING_RECORD(ALink, RTL_DYNAMIC_HASH_TABLE_ENTRY, Linkage)

/* ---- Buckets --------------------------------------------------------------------------------------------------------
 */

static PLIST_ENTRY *RtlpSegment(PRTL_DYNAMIC_HASH_TABLE Table, ULONG Index, PULONG Within)
{
    PRTLP_BUCKETS Buckets = Table->Directory;
    if (Index < RTLP_FIRST) {
        *Within = Index;
        return &Buckets->Segment[0];
    }
    ULONG High = 31 - (ULONG)__builtin_clz(Index);
    *Within = Index - (1u << High);
    return &Buckets->Segment[High - 6]; /* 128 = 2^7 begins segment 1 */
}

static PLIST_ENTRY RtlpBucket(PRTL_DYNAMIC_HASH_TABLE Table, ULONG Index)
{
    ULONG Within;
    return *RtlpSegment(Table, Index, &Within) + Within;
}

static ULONG RtlpIndexOf(PRTL_DYNAMIC_HASH_TABLE Table, ULONG_PTR Signature)
{
    ULONG64 Mixed = (Signature >> Table->Shift) * 0x9e3779b97f4a7c15ull;
    ULONG Hash = (ULONG)(Mixed >> 32), Index = Hash & Table->DivisorMask;
    return Index < Table->Pivot ? Hash & (Table->DivisorMask * 2 + 1) : Index;
}

/* Make the segment that Index lies in, if it is not there. */
static BOOLEAN RtlpHaveBucket(PRTL_DYNAMIC_HASH_TABLE Table, ULONG Index)
{
    ULONG Within, Count = Index < RTLP_FIRST ? RTLP_FIRST : 1u << (31 - (ULONG)__builtin_clz(Index));
    PLIST_ENTRY *Segment = RtlpSegment(Table, Index, &Within);
    if (!*Segment) {
        *Segment = ExAllocatePoolWithTag(NonPagedPool, Count * sizeof(LIST_ENTRY), RTLP_TAG);
        if (!*Segment)
            return FALSE;
        for (ULONG i = 0; i < Count; i++)
            InitializeListHead(*Segment + i);
    }
    return TRUE;
}

BOOLEAN NTAPI RtlCreateHashTableEx(PRTL_DYNAMIC_HASH_TABLE *HashTable, ULONG InitialSize, ULONG Shift, ULONG Flags)
{
    PRTL_DYNAMIC_HASH_TABLE Table = *HashTable;
    ULONG Size = RTLP_FIRST;
    if (Flags || Shift > 63)
        return FALSE;
    while (Size < InitialSize && Size < RTLP_MOST)
        Size *= 2;
    if (!Table && !(Table = ExAllocatePoolWithTag(NonPagedPool, sizeof(*Table), RTLP_TAG)))
        return FALSE;
    *Table = (RTL_DYNAMIC_HASH_TABLE){
        .Flags = *HashTable ? 0 : RTLP_OWN, .Shift = Shift, .TableSize = Size, .DivisorMask = Size - 1};
    Table->Directory = ExAllocatePoolWithTag(NonPagedPool, sizeof(RTLP_BUCKETS), RTLP_TAG);
    BOOLEAN Good = Table->Directory != NULL;
    if (Good)
        RtlZeroMemory(Table->Directory, sizeof(RTLP_BUCKETS));
    for (ULONG Index = 0; Good && Index < Size; Index = Index ? Index * 2 : RTLP_FIRST)
        Good = RtlpHaveBucket(Table, Index);
    if (!Good) {
        RtlDeleteHashTable(Table);
        return FALSE;
    }
    *HashTable = Table;
    return TRUE;
}

BOOLEAN NTAPI RtlCreateHashTable(PRTL_DYNAMIC_HASH_TABLE *HashTable, ULONG Shift, ULONG Flags)
{
    return RtlCreateHashTableEx(HashTable, 0, Shift, Flags);
}

VOID NTAPI RtlDeleteHashTable(PRTL_DYNAMIC_HASH_TABLE Table)
{
    PRTLP_BUCKETS Buckets = Table->Directory;
    for (ULONG i = 0; Buckets && i < RTLP_SEGMENTS; i++)
        if (Buckets->Segment[i])
            ExFreePoolWithTag(Buckets->Segment[i], RTLP_TAG);
    if (Buckets)
        ExFreePoolWithTag(Buckets, RTLP_TAG);
    Table->Directory = NULL;
    if (Table->Flags & RTLP_OWN)
        ExFreePoolWithTag(Table, RTLP_TAG);
}

/* ---- Chains ------------------------------------------------------------------------------------------------------ */

/* The link before which an entry with Signature begins, enumerators passed over. */
static PLIST_ENTRY RtlpPlace(PLIST_ENTRY Chain, ULONG_PTR Signature)
{
    PLIST_ENTRY Before = Chain;
    while (Before->Flink != Chain) {
        ULONG_PTR Next = RtlpEntry(Before->Flink)->Signature;
        if (Next != RTLP_ENUMERATOR && Next >= Signature)
            break;
        Before = Before->Flink;
    }
    return Before;
}

static VOID RtlpFillContext(PRTL_DYNAMIC_HASH_TABLE Table, ULONG_PTR Signature, PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    Context->Signature = Signature;
    Context->ChainHead = RtlpBucket(Table, RtlpIndexOf(Table, Signature));
    Context->PrevLinkage = RtlpPlace(Context->ChainHead, Signature);
}

/* docs: RtlInsertEntryHashTable: a context of a look-up for the same signature spares the search. */
BOOLEAN NTAPI RtlInsertEntryHashTable(PRTL_DYNAMIC_HASH_TABLE Table, PRTL_DYNAMIC_HASH_TABLE_ENTRY Entry,
                                      ULONG_PTR Signature, PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    RTL_DYNAMIC_HASH_TABLE_CONTEXT Own = {0};
    PRTL_DYNAMIC_HASH_TABLE_CONTEXT Used = Context ? Context : &Own;
    Entry->Signature = Signature == RTLP_ENUMERATOR ? 1 : Signature;
    if (!Used->ChainHead)
        RtlpFillContext(Table, Entry->Signature, Used);
    if (IsListEmpty(Used->ChainHead))
        Table->NonEmptyBuckets++;
    InsertHeadList(Used->PrevLinkage, &Entry->Linkage);
    Table->NumEntries++;
    return TRUE;
}

BOOLEAN NTAPI RtlRemoveEntryHashTable(PRTL_DYNAMIC_HASH_TABLE Table, PRTL_DYNAMIC_HASH_TABLE_ENTRY Entry,
                                      PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    if (Context && !Context->ChainHead)
        RtlpFillContext(Table, Entry->Signature, Context);
    if (Context && Context->PrevLinkage == &Entry->Linkage)
        Context->PrevLinkage = Entry->Linkage.Blink;
    if (RemoveEntryList(&Entry->Linkage))
        Table->NonEmptyBuckets--;
    Table->NumEntries--;
    return TRUE;
}

static PRTL_DYNAMIC_HASH_TABLE_ENTRY RtlpNextOf(PLIST_ENTRY Before, PLIST_ENTRY Chain, ULONG_PTR Signature)
{
    for (PLIST_ENTRY On = Before->Flink; On != Chain; On = On->Flink) {
        if (RtlpEntry(On)->Signature == RTLP_ENUMERATOR)
            continue;
        return RtlpEntry(On)->Signature == Signature ? RtlpEntry(On) : NULL;
    }
    return NULL;
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY NTAPI RtlLookupEntryHashTable(PRTL_DYNAMIC_HASH_TABLE Table, ULONG_PTR Signature,
                                                            PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    RTL_DYNAMIC_HASH_TABLE_CONTEXT Own;
    PRTL_DYNAMIC_HASH_TABLE_CONTEXT Used = Context ? Context : &Own;
    RtlpFillContext(Table, Signature == RTLP_ENUMERATOR ? 1 : Signature, Used);
    return RtlpNextOf(Used->PrevLinkage, Used->ChainHead, Used->Signature);
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY NTAPI RtlGetNextEntryHashTable(PRTL_DYNAMIC_HASH_TABLE Table,
                                                             PRTL_DYNAMIC_HASH_TABLE_CONTEXT Context)
{
    PRTL_DYNAMIC_HASH_TABLE_ENTRY Found = RtlpNextOf(Context->PrevLinkage, Context->ChainHead, Context->Signature);
    if (!Found)
        return NULL;
    PRTL_DYNAMIC_HASH_TABLE_ENTRY Next = RtlpNextOf(&Found->Linkage, Context->ChainHead, Context->Signature);
    if (Next)
        Context->PrevLinkage = &Found->Linkage;
    return Next;
}

/* ---- Enumeration: the enumerator stands in the chain, so entries may be inserted and removed, but the table keeps its
 * size -- */

BOOLEAN NTAPI RtlInitEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE Table, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    Enumerator->BucketIndex = 0;
    Enumerator->ChainHead = RtlpBucket(Table, 0);
    Enumerator->HashEntry.Signature = RTLP_ENUMERATOR;
    if (IsListEmpty(Enumerator->ChainHead))
        Table->NonEmptyBuckets++;
    InsertHeadList(Enumerator->ChainHead, &Enumerator->HashEntry.Linkage);
    Table->NumEnumerators++;
    return TRUE;
}

static VOID RtlpStandIn(PRTL_DYNAMIC_HASH_TABLE Table, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator, PLIST_ENTRY Chain,
                        PLIST_ENTRY Behind)
{
    if (RemoveEntryList(&Enumerator->HashEntry.Linkage))
        Table->NonEmptyBuckets--;
    if (IsListEmpty(Chain))
        Table->NonEmptyBuckets++;
    InsertHeadList(Behind, &Enumerator->HashEntry.Linkage);
    Enumerator->ChainHead = Chain;
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY NTAPI RtlEnumerateEntryHashTable(PRTL_DYNAMIC_HASH_TABLE Table,
                                                               PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    PLIST_ENTRY On = Enumerator->HashEntry.Linkage.Flink, Chain = Enumerator->ChainHead;
    for (ULONG Index = Enumerator->BucketIndex;;) {
        for (; On != Chain; On = On->Flink)
            if (RtlpEntry(On)->Signature != RTLP_ENUMERATOR) {
                Enumerator->BucketIndex = Index;
                RtlpStandIn(Table, Enumerator, Chain, On);
                return RtlpEntry(On);
            }
        if (++Index >= Table->TableSize)
            return NULL;
        Chain = RtlpBucket(Table, Index);
        On = Chain->Flink;
    }
}

VOID NTAPI RtlEndEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE Table, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    if (RemoveEntryList(&Enumerator->HashEntry.Linkage))
        Table->NonEmptyBuckets--;
    Table->NumEnumerators--;
    Enumerator->ChainHead = NULL;
}

/* docs: a weak enumeration lets the table grow and shrink meanwhile. Ours stands in the chain like the others, and goes
 * on in the bucket where its entry is after a change of size; entries may come twice or not at all then, as documented.
 */
BOOLEAN NTAPI RtlInitWeakEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE Table,
                                              PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    RtlInitEnumerationHashTable(Table, Enumerator);
    Table->NumEnumerators--;
    return TRUE;
}

PRTL_DYNAMIC_HASH_TABLE_ENTRY NTAPI RtlWeaklyEnumerateEntryHashTable(PRTL_DYNAMIC_HASH_TABLE Table,
                                                                     PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    return RtlEnumerateEntryHashTable(Table, Enumerator);
}

VOID NTAPI RtlEndWeakEnumerationHashTable(PRTL_DYNAMIC_HASH_TABLE Table, PRTL_DYNAMIC_HASH_TABLE_ENUMERATOR Enumerator)
{
    Table->NumEnumerators++;
    RtlEndEnumerationHashTable(Table, Enumerator);
}

/* ---- Size -------------------------------------------------------------------------------------------------------- */

/* Move what belongs to the bucket To from the chain From; enumerators stay. */
static VOID RtlpSplit(PRTL_DYNAMIC_HASH_TABLE Table, PLIST_ENTRY From, ULONG ToIndex)
{
    PLIST_ENTRY To = RtlpBucket(Table, ToIndex);
    BOOLEAN Had = !IsListEmpty(From);
    for (PLIST_ENTRY On = From->Flink, Next; On != From; On = Next) {
        Next = On->Flink;
        if (RtlpEntry(On)->Signature == RTLP_ENUMERATOR || RtlpIndexOf(Table, RtlpEntry(On)->Signature) != ToIndex)
            continue;
        RemoveEntryList(On);
        InsertTailList(To, On); /* in order already */
    }
    Table->NonEmptyBuckets += !IsListEmpty(To);
    Table->NonEmptyBuckets -= Had && IsListEmpty(From);
}

BOOLEAN NTAPI RtlExpandHashTable(PRTL_DYNAMIC_HASH_TABLE Table)
{
    ULONG New = Table->TableSize, Old = Table->Pivot;
    if (Table->NumEnumerators || New >= RTLP_MOST || !RtlpHaveBucket(Table, New))
        return FALSE;
    Table->TableSize++;
    Table->Pivot++;
    RtlpSplit(Table, RtlpBucket(Table, Old), New);
    if (Table->Pivot > Table->DivisorMask) {
        Table->DivisorMask = Table->DivisorMask * 2 + 1;
        Table->Pivot = 0;
    }
    return TRUE;
}

BOOLEAN NTAPI RtlContractHashTable(PRTL_DYNAMIC_HASH_TABLE Table)
{
    if (Table->NumEnumerators || Table->TableSize <= RTLP_FIRST)
        return FALSE;
    if (!Table->Pivot) {
        Table->DivisorMask /= 2;
        Table->Pivot = Table->DivisorMask + 1;
    }
    Table->Pivot--;
    Table->TableSize--;
    PLIST_ENTRY From = RtlpBucket(Table, Table->TableSize), To = RtlpBucket(Table, Table->Pivot);
    if (!IsListEmpty(From) && !IsListEmpty(To))
        Table->NonEmptyBuckets--;
    while (!IsListEmpty(From)) {
        PLIST_ENTRY On = RemoveHeadList(From);
        InsertHeadList(RtlpPlace(To, RtlpEntry(On)->Signature), On);
    }
    return TRUE;
}
