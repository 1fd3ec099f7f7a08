/*
 * Range lists, as arbiters of buses keep them: what may lie where, who owns it, and how a list is walked. No page describes them; the
 * declarations are those of the routines' clients.
 */
#include "check.h"

typedef struct _RTL_RANGE {
    ULONGLONG Start, End;
    PVOID UserData, Owner;
    UCHAR Attributes, Flags;
} RTL_RANGE, *PRTL_RANGE;

typedef struct _RTL_RANGE_LIST {
    LIST_ENTRY ListHead;
    ULONG Flags, Count, Stamp;
} RTL_RANGE_LIST, *PRTL_RANGE_LIST;

typedef struct _RTL_RANGE_LIST_ITERATOR {
    PLIST_ENTRY RangeListHead, MergedHead;
    PVOID Current;
    ULONG Stamp;
} RTL_RANGE_LIST_ITERATOR;

#define IF_CONFLICT 1
#define ADD_SHARED 2
#define SHARED 1
#define CONFLICT 2

NTKERNELAPI VOID NTAPI RtlInitializeRangeList(PRTL_RANGE_LIST);
NTKERNELAPI VOID NTAPI RtlFreeRangeList(PRTL_RANGE_LIST);
NTKERNELAPI NTSTATUS NTAPI RtlAddRange(PRTL_RANGE_LIST, ULONGLONG, ULONGLONG, UCHAR, ULONG, PVOID, PVOID);
NTKERNELAPI NTSTATUS NTAPI RtlDeleteRange(PRTL_RANGE_LIST, ULONGLONG, ULONGLONG, PVOID);
NTKERNELAPI NTSTATUS NTAPI RtlDeleteOwnersRanges(PRTL_RANGE_LIST, PVOID);
NTKERNELAPI NTSTATUS NTAPI RtlCopyRangeList(PRTL_RANGE_LIST, PRTL_RANGE_LIST);
NTKERNELAPI NTSTATUS NTAPI RtlGetFirstRange(PRTL_RANGE_LIST, RTL_RANGE_LIST_ITERATOR *, PRTL_RANGE *);
NTKERNELAPI NTSTATUS NTAPI RtlGetNextRange(RTL_RANGE_LIST_ITERATOR *, PRTL_RANGE *, BOOLEAN);
NTKERNELAPI NTSTATUS NTAPI RtlIsRangeAvailable(PRTL_RANGE_LIST, ULONGLONG, ULONGLONG, ULONG, UCHAR, PVOID, PVOID,
                                               PBOOLEAN);

static RTL_RANGE_LIST List;
static UCHAR Data[2], Owner[2];

/* The list holds exactly these, in order; the iterator says where it is, and stays at the end. */
static void ListIs(const RTL_RANGE *Expected, ULONG Count)
{
    RTL_RANGE_LIST_ITERATOR Iterator;
    PRTL_RANGE Range = (PVOID)1;
    NTSTATUS Status;

    RtlFillMemory(&Iterator, sizeof(Iterator), 0x55);
    Status = RtlGetFirstRange(&List, &Iterator, &Range);
    CHECK_IS((&Iterator.Stamp)[1], 0x55555555); /* padding */
    CHECK_IS(List.Flags, 0);
    CHECK_IS(List.Count, Count);
    for (ULONG i = 0; i < Count; i++) {
        if (!CHECK_IS(Status, STATUS_SUCCESS))
            return;
        CHECK(Range->Start == Expected[i].Start && Range->End == Expected[i].End);
        CHECK(Range->UserData == Expected[i].UserData && Range->Owner == Expected[i].Owner);
        CHECK(Range->Attributes == Expected[i].Attributes && Range->Flags == Expected[i].Flags);
        CHECK_IS(Iterator.Current, Range);
        CHECK(Iterator.RangeListHead == &List.ListHead && !Iterator.MergedHead && Iterator.Stamp == List.Stamp);
        Range = (PVOID)1;
        Status = RtlGetNextRange(&Iterator, &Range, TRUE);
    }
    for (int i = 0; i < 2; i++) {
        CHECK_IS(Status, STATUS_NO_MORE_ENTRIES);
        CHECK(!Range && !Iterator.Current && Iterator.Stamp == List.Stamp);
        Range = (PVOID)1;
        Status = RtlGetNextRange(&Iterator, &Range, TRUE);
    }
}

static NTSTATUS Add(const RTL_RANGE *Range, ULONG Flags)
{
    return RtlAddRange(&List, Range->Start, Range->End, Range->Attributes, Flags, Range->UserData, Range->Owner);
}

static const RTL_RANGE First = {0x100, 0x200, &Data[0], &Owner[0], 1, 0};

static void OneRange(void)
{
    RtlFillMemory(&List, sizeof(List), 0x55);
    RtlInitializeRangeList(&List);
    CHECK(IsListEmpty(&List.ListHead));
    CHECK_IS(List.Stamp, 0);
    CHECK_IS((&List.Stamp)[1], 0x55555555);
    CHECK_IS(Add(&First, 0), STATUS_SUCCESS);
    CHECK_IS(List.Stamp, 1);
    ListIs(&First, 1);
}

TEST(ranges_are_added_and_deleted)
{
    RTL_RANGE Two[] = {First, {0x300, 0x2ff, &Data[1], &Owner[1], 0xff, 0}};

    OneRange();
    CHECK_IS(Add(&Two[1], 0), STATUS_INVALID_PARAMETER); /* its end before its start */
    CHECK_IS(List.Stamp, 1);
    ListIs(Two, 1);
    Two[1].End = 0x300;
    CHECK_IS(Add(&Two[1], 0), STATUS_SUCCESS);
    CHECK_IS(List.Stamp, 2);
    ListIs(Two, 2);
    CHECK_IS(RtlDeleteRange(&List, 0x300, 0x300, &Owner[0]), STATUS_RANGE_NOT_FOUND);
    CHECK_IS(RtlDeleteRange(&List, 0x300, 0x300, &Owner[1]), STATUS_SUCCESS);
    CHECK_IS(List.Stamp, 3);
    ListIs(Two, 1);
    Two[1].End = 0x400;
    Two[1].Flags = SHARED;
    CHECK_IS(Add(&Two[1], ADD_SHARED), STATUS_SUCCESS);
    ListIs(Two, 2);
    CHECK_IS(RtlDeleteRange(&List, 0x300, 0x400, &Owner[1]), STATUS_SUCCESS);
    RtlFreeRangeList(&List);
    CHECK_IS(List.Stamp, 5);
    ListIs(NULL, 0);
}

TEST(what_conflicts_is_refused_or_marked)
{
    RTL_RANGE Two[] = {First, {0x180, 0x280, NULL, NULL, 0, CONFLICT}};

    OneRange();
    CHECK_IS(Add(&Two[1], 0), STATUS_RANGE_LIST_CONFLICT);
    ListIs(&First, 1);
    CHECK_IS(Add(&Two[1], IF_CONFLICT), STATUS_SUCCESS);
    Two[0].Flags = CONFLICT;
    ListIs(Two, 2);
    RtlFreeRangeList(&List);
}

TEST(a_place_is_available_or_not)
{
    static const struct {
        ULONG Start, End;
        UCHAR Mask;
        BOOLEAN Available;
    } Places[] = {
        {0xff, 0xff, 0, TRUE},    {0x100, 0x100, 0, FALSE}, {0x200, 0x200, 0, FALSE}, {0x201, 0x201, 0, TRUE},
        {0, 0xff, 0, TRUE},       {0, 0x100, 0, FALSE},     {0, 0x180, 0, FALSE},     {0, 0x300, 0, FALSE},
        {0x180, 0x300, 0, FALSE}, {0x200, 0x300, 0, FALSE}, {0x201, 0x300, 0, TRUE},  {0x100, 0xff, 0, TRUE},
        {0x101, 0x100, 0, FALSE}, {0x201, 0x200, 0, TRUE},  {0x200, 0x1ff, 0, FALSE}, {0x201, 0xff, 0, TRUE},
        {0, 0x300, 1, TRUE},      {0, 0x300, 0xff, TRUE},   {0, 0x300, 2, FALSE},
    };

    OneRange();
    for (ULONG i = 0; i < ARRAYSIZE(Places); i++) {
        BOOLEAN Available = 2;

        CHECK_IS(RtlIsRangeAvailable(&List, Places[i].Start, Places[i].End, 0, Places[i].Mask, NULL, NULL, &Available),
                 STATUS_SUCCESS);
        CHECK_IS(Available, Places[i].Available);
    }
    CHECK_IS(List.Stamp, 1);
    RtlFreeRangeList(&List);
}

TEST(an_owners_ranges_go_together)
{
    RTL_RANGE Range[4];

    RtlInitializeRangeList(&List);
    for (ULONG i = 0; i < 4; i++) {
        Range[i] = (RTL_RANGE){0x100 * (i + 1), 0x100 * (i + 1) + 0xff, &Data[0], &Owner[i == 1], 0, 0};
        CHECK_IS(Add(&Range[i], 0), STATUS_SUCCESS);
    }
    CHECK_IS(RtlDeleteOwnersRanges(&List, &Owner[0]), STATUS_SUCCESS);
    CHECK_IS(List.Stamp, 7); /* one for each */
    ListIs(&Range[1], 1);
    CHECK_IS(RtlDeleteOwnersRanges(&List, &Owner[0]), STATUS_SUCCESS);
    CHECK_IS(List.Stamp, 7);
    CHECK_IS(RtlDeleteOwnersRanges(&List, &Owner[1]), STATUS_SUCCESS);
    CHECK_IS(List.Stamp, 8);
    ListIs(NULL, 0);
    RtlFreeRangeList(&List);
}

TEST(a_walk_ends_when_the_list_changes)
{
    RTL_RANGE Second = {0x300, 0x3ff, NULL, NULL, 0, 0};
    RTL_RANGE_LIST_ITERATOR Iterator;
    PRTL_RANGE Range;

    OneRange();
    CHECK_IS(Add(&Second, 0), STATUS_SUCCESS);
    CHECK_IS(RtlGetFirstRange(&List, &Iterator, &Range), STATUS_SUCCESS);
    CHECK_IS(RtlGetNextRange(&Iterator, &Range, TRUE), STATUS_SUCCESS);
    CHECK_IS(Range->Start, 0x300);
    CHECK_IS(RtlGetNextRange(&Iterator, &Range, FALSE), STATUS_SUCCESS); /* back */
    CHECK_IS(Range->Start, 0x100);
    CHECK_IS(RtlDeleteRange(&List, 0x300, 0x3ff, NULL), STATUS_SUCCESS);
    CHECK_IS(RtlGetNextRange(&Iterator, &Range, TRUE), STATUS_INVALID_PARAMETER);
    RtlFreeRangeList(&List);
}

CHECK_DRIVER(T(ranges_are_added_and_deleted), T(what_conflicts_is_refused_or_marked), T(a_place_is_available_or_not),
             T(an_owners_ranges_go_together), T(a_walk_ends_when_the_list_changes))
