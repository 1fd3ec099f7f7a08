/*
 * Range lists (known from the headers of its clients, the arbiters; the conformance suites call them).
 *
 * A list holds ranges in order of their start. Ranges overlap only when both are shared, or with
 * RTL_RANGE_LIST_ADD_IF_CONFLICT, which marks what conflicts. Stamp counts changes, so that an iterator of a changed
 * list is recognised.
 */
#include "nt.h"

#ifndef RTL_RANGE_SHARED
#define RTL_RANGE_SHARED 0x01
#define RTL_RANGE_CONFLICT 0x02
#endif
#define RTL_RANGE_LIST_ADD_IF_CONFLICT 0x01
#define RTL_RANGE_LIST_ADD_SHARED 0x02
#define RTL_RANGE_LIST_SHARED_OK 0x01
#define RTL_RANGE_LIST_NULL_CONFLICT_OK 0x02
#define RTLP_RANGE_TAG 'gnRR'

typedef struct _RTL_RANGE {
    ULONGLONG Start, End; /* both belong to it */
    PVOID UserData, Owner;
    UCHAR Attributes, Flags;
} RTL_RANGE, *PRTL_RANGE;

typedef struct _RTL_RANGE_LIST {
    LIST_ENTRY ListHead;
    ULONG Flags, Count, Stamp;
} RTL_RANGE_LIST, *PRTL_RANGE_LIST;

typedef struct _RTL_RANGE_LIST_ITERATOR {
    PLIST_ENTRY RangeListHead;
    PLIST_ENTRY MergedHead;
    PVOID Current;
    ULONG Stamp;
} RTL_RANGE_LIST_ITERATOR, *PRTL_RANGE_LIST_ITERATOR;

typedef BOOLEAN(NTAPI *PRTL_CONFLICT_RANGE_CALLBACK)(PVOID Context, PRTL_RANGE Range);

typedef struct _RTLP_RANGE {
    RTL_RANGE Public;
    LIST_ENTRY Entry;
} RTLP_RANGE, *PRTLP_RANGE;

#define RtlpRangeOf(AnEntry) CONTAINING_RECORD(AnEntry, RTLP_RANGE, Entry)

VOID NTAPI RtlInitializeRangeList(PRTL_RANGE_LIST List)
{
    InitializeListHead(&List->ListHead);
    List->Flags = List->Count = List->Stamp = 0;
}

static VOID RtlpDropRange(PRTL_RANGE_LIST List, PRTLP_RANGE Range)
{
    RemoveEntryList(&Range->Entry);
    ExFreePoolWithTag(Range, RTLP_RANGE_TAG);
    List->Count--;
}

VOID NTAPI RtlFreeRangeList(PRTL_RANGE_LIST List)
{
    while (!IsListEmpty(&List->ListHead))
        RtlpDropRange(List, RtlpRangeOf(List->ListHead.Flink));
    List->Flags = List->Count = 0;
}

static BOOLEAN RtlpOverlap(PRTL_RANGE Range, ULONGLONG Start, ULONGLONG End)
{
    return Range->Start <= End && Start <= Range->End;
}

static NTSTATUS RtlpInsertRange(PRTL_RANGE_LIST List, const RTL_RANGE *Range)
{
    PRTLP_RANGE New = ExAllocatePoolWithTag(PagedPool, sizeof(*New), RTLP_RANGE_TAG);
    if (!New)
        return STATUS_INSUFFICIENT_RESOURCES;
    New->Public = *Range;
    PLIST_ENTRY Place = List->ListHead.Flink;
    while (Place != &List->ListHead && RtlpRangeOf(Place)->Public.Start <= Range->Start)
        Place = Place->Flink;
    InsertTailList(Place, &New->Entry);
    List->Count++;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlAddRange(PRTL_RANGE_LIST List, ULONGLONG Start, ULONGLONG End, UCHAR Attributes, ULONG Flags,
                           PVOID UserData, PVOID Owner)
{
    RTL_RANGE Range = {Start, End,        UserData,
                       Owner, Attributes, Flags & RTL_RANGE_LIST_ADD_SHARED ? RTL_RANGE_SHARED : 0};
    if (End < Start)
        return STATUS_INVALID_PARAMETER;
    for (PLIST_ENTRY Entry = List->ListHead.Flink; Entry != &List->ListHead; Entry = Entry->Flink) {
        PRTL_RANGE On = &RtlpRangeOf(Entry)->Public;
        if (!RtlpOverlap(On, Start, End) || ((On->Flags & RTL_RANGE_SHARED) && (Range.Flags & RTL_RANGE_SHARED)))
            continue;
        if (!(Flags & RTL_RANGE_LIST_ADD_IF_CONFLICT))
            return STATUS_RANGE_LIST_CONFLICT;
        Range.Flags |= RTL_RANGE_CONFLICT;
        On->Flags |= RTL_RANGE_CONFLICT;
    }
    NTSTATUS Status = RtlpInsertRange(List, &Range);
    if (NT_SUCCESS(Status))
        List->Stamp++;
    return Status;
}

/* Exactly this range of this owner. */
NTSTATUS NTAPI RtlDeleteRange(PRTL_RANGE_LIST List, ULONGLONG Start, ULONGLONG End, PVOID Owner)
{
    for (PLIST_ENTRY Entry = List->ListHead.Flink; Entry != &List->ListHead; Entry = Entry->Flink) {
        PRTL_RANGE On = &RtlpRangeOf(Entry)->Public;
        if (On->Start != Start || On->End != End || On->Owner != Owner)
            continue;
        RtlpDropRange(List, RtlpRangeOf(Entry));
        List->Stamp++;
        return STATUS_SUCCESS;
    }
    return STATUS_RANGE_NOT_FOUND;
}

NTSTATUS NTAPI RtlDeleteOwnersRanges(PRTL_RANGE_LIST List, PVOID Owner)
{
    for (PLIST_ENTRY Entry = List->ListHead.Flink, Next; Entry != &List->ListHead; Entry = Next) {
        Next = Entry->Flink;
        if (RtlpRangeOf(Entry)->Public.Owner != Owner)
            continue;
        RtlpDropRange(List, RtlpRangeOf(Entry));
        List->Stamp++;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCopyRangeList(PRTL_RANGE_LIST Copy, PRTL_RANGE_LIST List)
{
    if (Copy->Count)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = STATUS_SUCCESS;
    for (PLIST_ENTRY Entry = List->ListHead.Flink; NT_SUCCESS(Status) && Entry != &List->ListHead; Entry = Entry->Flink)
        Status = RtlpInsertRange(Copy, &RtlpRangeOf(Entry)->Public);
    Copy->Stamp = List->Stamp;
    if (!NT_SUCCESS(Status))
        RtlFreeRangeList(Copy);
    return Status;
}

NTSTATUS NTAPI RtlGetFirstRange(PRTL_RANGE_LIST List, PRTL_RANGE_LIST_ITERATOR Iterator, PRTL_RANGE *Range)
{
    Iterator->RangeListHead = &List->ListHead;
    Iterator->MergedHead = NULL;
    Iterator->Stamp = List->Stamp;
    if (IsListEmpty(&List->ListHead)) {
        Iterator->Current = NULL;
        *Range = NULL;
        return STATUS_NO_MORE_ENTRIES;
    }
    Iterator->Current = *Range = &RtlpRangeOf(List->ListHead.Flink)->Public;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlGetNextRange(PRTL_RANGE_LIST_ITERATOR Iterator, PRTL_RANGE *Range, BOOLEAN MoveForwards)
{
    PRTL_RANGE_LIST List = CONTAINING_RECORD(Iterator->RangeListHead, RTL_RANGE_LIST, ListHead);
    if (Iterator->Stamp != List->Stamp)
        return STATUS_INVALID_PARAMETER;
    if (!Iterator->Current) {
        *Range = NULL;
        return STATUS_NO_MORE_ENTRIES;
    }
    const LIST_ENTRY *At = &CONTAINING_RECORD(Iterator->Current, RTLP_RANGE, Public)->Entry;
    PLIST_ENTRY Next = MoveForwards ? At->Flink : At->Blink;
    if (Next == Iterator->RangeListHead) {
        Iterator->Current = NULL;
        *Range = NULL;
        return STATUS_NO_MORE_ENTRIES;
    }
    Iterator->Current = *Range = &RtlpRangeOf(Next)->Public;
    return STATUS_SUCCESS;
}

/* May a new range lie there: nothing in the way, or what is may be shared, has attributes to be passed over, has no
 * owner, or the callback lets it pass. */
static BOOLEAN RtlpIsAvailable(PRTL_RANGE_LIST List, ULONGLONG Start, ULONGLONG End, ULONG Flags, UCHAR AvailableMask,
                               PVOID Context, PRTL_CONFLICT_RANGE_CALLBACK Callback)
{
    for (PLIST_ENTRY Entry = List->ListHead.Flink; Entry != &List->ListHead; Entry = Entry->Flink) {
        PRTL_RANGE On = &RtlpRangeOf(Entry)->Public;
        if (!RtlpOverlap(On, Start, End) || (On->Attributes & AvailableMask) ||
            ((Flags & RTL_RANGE_LIST_SHARED_OK) && (On->Flags & RTL_RANGE_SHARED)) ||
            ((Flags & RTL_RANGE_LIST_NULL_CONFLICT_OK) && !On->Owner))
            continue;
        if (!Callback || !Callback(Context, On))
            return FALSE;
    }
    return TRUE;
}

NTSTATUS NTAPI RtlIsRangeAvailable(PRTL_RANGE_LIST List, ULONGLONG Start, ULONGLONG End, ULONG Flags,
                                   UCHAR AvailableMask, PVOID Context, PRTL_CONFLICT_RANGE_CALLBACK Callback,
                                   PBOOLEAN Available)
{
    *Available = RtlpIsAvailable(List, Start, End, Flags, AvailableMask, Context, Callback);
    return STATUS_SUCCESS;
}

/* The highest place of Length in [Minimum, Maximum] at a multiple of Alignment. */
NTSTATUS NTAPI RtlFindRange(PRTL_RANGE_LIST List, ULONGLONG Minimum, ULONGLONG Maximum, ULONG Length, ULONG Alignment,
                            ULONG Flags, UCHAR AvailableMask, PVOID Context, PRTL_CONFLICT_RANGE_CALLBACK Callback,
                            PULONGLONG Start)
{
    if (!Length || !Alignment || Minimum > Maximum || Maximum - Minimum < Length - 1)
        return STATUS_INVALID_PARAMETER;
    ULONGLONG At = Maximum - (Length - 1);
    At -= At % Alignment;
    for (;;) {
        if (At < Minimum)
            return STATUS_UNSUCCESSFUL;
        if (RtlpIsAvailable(List, At, At + Length - 1, Flags, AvailableMask, Context, Callback)) {
            *Start = At;
            return STATUS_SUCCESS;
        }
        /* below the lowest range in the way, at the least one step down */
        ULONGLONG Low = At;
        for (PLIST_ENTRY Entry = List->ListHead.Flink; Entry != &List->ListHead; Entry = Entry->Flink)
            if (RtlpOverlap(&RtlpRangeOf(Entry)->Public, At, At + Length - 1))
                Low = min(Low, RtlpRangeOf(Entry)->Public.Start);
        ULONGLONG Next = Low >= Length ? Low - Length : 0;
        if (Low < Length || At < Alignment)
            return STATUS_UNSUCCESSFUL;
        Next -= Next % Alignment;
        At = min(Next, At - Alignment);
    }
}
