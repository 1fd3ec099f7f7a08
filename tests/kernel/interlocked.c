/*
 * Interlocked lists and sums: what each returns and leaves behind, at PASSIVE_LEVEL and at HIGH_LEVEL, on lists that are not aligned;
 * neither the level nor the spin lock shows afterwards that they were used. (docs: ExInterlockedInsertHeadList,
 * ExInterlockedPushEntryList, ExInterlockedAddLargeInteger)
 */
#include "check.h"

/* The headers make intrinsics or macros of some; these are the exports. */
#undef ExInterlockedAddUlong
#undef ExInterlockedPushEntryList
#undef ExInterlockedPopEntryList

NTKERNELAPI PSLIST_ENTRY NTAPI RtlFirstEntrySList(const SLIST_HEADER *);

static KSPIN_LOCK Lock;
static KIRQL At;

static void AtEach(void (*Routine)(void))
{
    static const KIRQL Levels[] = {PASSIVE_LEVEL, APC_LEVEL, DISPATCH_LEVEL, HIGH_LEVEL};

    for (ULONG i = 0; i < ARRAYSIZE(Levels); i++) {
        KIRQL Old = KfRaiseIrql(At = Levels[i]);

        KeInitializeSpinLock(&Lock);
        Routine();
        CHECK_IRQL(At);
        CHECK_IS(Lock, 0);
        KeLowerIrql(Old);
    }
}

/* Nothing but the list has changed. */
static void Quiet(void)
{
    CHECK_IRQL(At);
    CHECK_IS(Lock, 0);
    CHECK(__readeflags() & 0x200);
}

/* ---- Doubly linked ------------------------------------------------------------------------------------------------- */

static LIST_ENTRY Head, Entry[3];

/* The list from its head on: Count entries in this order, linked both ways. */
static void ListIs(ULONG Count, const ULONG *Order)
{
    PLIST_ENTRY Link = &Head;

    for (ULONG i = 0; i < Count; i++) {
        CHECK_IS(Link->Flink, &Entry[Order[i]]);
        CHECK_IS(Entry[Order[i]].Blink, Link);
        Link = &Entry[Order[i]];
    }
    CHECK_IS(Link->Flink, &Head);
    CHECK_IS(Head.Blink, Link);
    Quiet();
}

#define LIST_IS(...)                                                                                                   \
    do {                                                                                                               \
        static const ULONG Order[] = {__VA_ARGS__};                                                                    \
        ListIs(ARRAYSIZE(Order), Order);                                                                               \
    } while (0)

static void Doubly(void)
{
    RtlFillMemory(&Head, sizeof(Head), 0x55);
    InitializeListHead(&Head);
    ListIs(0, NULL);
    CHECK_IS(ExInterlockedInsertHeadList(&Head, &Entry[0], &Lock), NULL);
    LIST_IS(0);
    CHECK_IS(ExInterlockedRemoveHeadList(&Head, &Lock), &Entry[0]);
    ListIs(0, NULL);
    CHECK_IS(Entry[0].Flink, &Head); /* an entry that is out keeps its links */
    CHECK_IS(Entry[0].Blink, &Head);
    CHECK_IS(ExInterlockedRemoveHeadList(&Head, &Lock), NULL);
    ListIs(0, NULL);
    CHECK_IS(ExInterlockedInsertTailList(&Head, &Entry[0], &Lock), NULL);
    LIST_IS(0);
    CHECK_IS(ExInterlockedInsertHeadList(&Head, &Entry[1], &Lock), &Entry[0]); /* who was first */
    LIST_IS(1, 0);
    CHECK_IS(ExInterlockedInsertTailList(&Head, &Entry[2], &Lock), &Entry[0]); /* who was last */
    LIST_IS(1, 0, 2);
    CHECK_IS(ExInterlockedRemoveHeadList(&Head, &Lock), &Entry[1]);
    LIST_IS(0, 2);
}

TEST(doubly_linked_lists_say_who_was_at_that_end)
{
    AtEach(Doubly);
}

/* ---- Singly linked, anywhere in memory ------------------------------------------------------------------------------ */

#pragma pack(push, 1)
static struct {
    UCHAR Before;
    SINGLE_LIST_ENTRY Head, Entry[3];
} Odd;
#pragma pack(pop)

static void Singly(void)
{
    PUCHAR Base = (PUCHAR)&Odd + 1;
    PSINGLE_LIST_ENTRY First = (PVOID)Base, A = First + 1, B = First + 2, C = First + 3;

    RtlFillMemory(&Odd, sizeof(Odd), 0x55);
    First->Next = NULL;
    CHECK_IS(ExInterlockedPopEntryList(First, &Lock), NULL);
    CHECK_IS(ExInterlockedPushEntryList(First, A, &Lock), NULL);
    CHECK(First->Next == A && A->Next == NULL);
    CHECK_IS(ExInterlockedPushEntryList(First, B, &Lock), A);
    CHECK(First->Next == B && B->Next == A);
    Quiet();
    CHECK_IS(ExInterlockedPopEntryList(First, &Lock), B);
    CHECK(First->Next == A && B->Next == A);
    CHECK_IS(ExInterlockedPushEntryList(First, B, &Lock), A);
    CHECK_IS(ExInterlockedPushEntryList(First, C, &Lock), B);
    Quiet();
    CHECK_IS(ExInterlockedPopEntryList(First, &Lock), C);
    CHECK_IS(ExInterlockedPopEntryList(First, &Lock), B);
    CHECK_IS(ExInterlockedPopEntryList(First, &Lock), A);
    CHECK(A->Next == NULL && First->Next == NULL);
    CHECK_IS(ExInterlockedPopEntryList(First, &Lock), NULL);
    CHECK(A->Next == NULL && B->Next == A && C->Next == B);
    CHECK_IS(Odd.Before, 0x55);
}

TEST(singly_linked_lists_say_who_was_first)
{
    AtEach(Singly);
}

/* ---- Sequenced ----------------------------------------------------------------------------------------------------- */

static SLIST_HEADER Sequenced;
static SLIST_ENTRY Link[3];

#define SLIST_IS(First, Depth)                                                                                         \
    (CHECK_IS(RtlFirstEntrySList(&Sequenced), First),                                                                  \
     CHECK(At > DISPATCH_LEVEL || ExQueryDepthSList(&Sequenced) == (Depth)), Quiet())

static void Stacked(void)
{
    RtlFillMemory(&Sequenced, sizeof(Sequenced), 0x55);
    InitializeSListHead(&Sequenced);
    SLIST_IS(NULL, 0);
    CHECK_IS(InterlockedFlushSList(&Sequenced), NULL);
    CHECK_IS(InterlockedPopEntrySList(&Sequenced), NULL);
    CHECK_IS(InterlockedPushEntrySList(&Sequenced, &Link[0]), NULL);
    SLIST_IS(&Link[0], 1);
    CHECK_IS(InterlockedPushEntrySList(&Sequenced, &Link[1]), &Link[0]);
    CHECK_IS(Link[1].Next, &Link[0]);
    SLIST_IS(&Link[1], 2);
    CHECK_IS(InterlockedPopEntrySList(&Sequenced), &Link[1]);
    SLIST_IS(&Link[0], 1);
    CHECK_IS(InterlockedPushEntrySList(&Sequenced, &Link[1]), &Link[0]);
    CHECK_IS(InterlockedPushEntrySList(&Sequenced, &Link[2]), &Link[1]);
    SLIST_IS(&Link[2], 3);
    CHECK_IS(InterlockedFlushSList(&Sequenced), &Link[2]);
    CHECK(Link[2].Next == &Link[1] && Link[1].Next == &Link[0] && !Link[0].Next);
    SLIST_IS(NULL, 0);
}

TEST(sequenced_lists_count)
{
    AtEach(Stacked);
}

/* ---- Sums ---------------------------------------------------------------------------------------------------------- */

static void Sums(void)
{
    LARGE_INTEGER Large = {.QuadPart = 23}, Add = {.QuadPart = 7};
    LONGLONG Big = 17, Other = 20, Same = 17, Not = 4;
    ULONG Small = 239, Most = MAXULONG;

    CHECK_IS(ExInterlockedAddLargeInteger(&Large, Add, &Lock).QuadPart, 23);
    CHECK_IS(Large.QuadPart, 30);
    Add.QuadPart = -31;
    CHECK_IS(ExInterlockedAddLargeInteger(&Large, Add, &Lock).QuadPart, 30);
    CHECK_IS(Large.QuadPart, -1);
    ExInterlockedAddLargeStatistic(&Large, 17);
    CHECK_IS(Large.QuadPart, 16);
    CHECK_IS(ExInterlockedAddUlong(&Small, 44, &Lock), 239);
    CHECK_IS(Small, 283);
    CHECK_IS(ExInterlockedAddUlong(&Most, 2, &Lock), MAXULONG);
    CHECK_IS(Most, 1);
    CHECK_IS(ExInterlockedCompareExchange64(&Big, &Other, &Not, &Lock), 17);
    CHECK_IS(Big, 17);
    CHECK_IS(ExInterlockedCompareExchange64(&Big, &Other, &Same, &Lock), 17);
    CHECK_IS(Big, 20);
    CHECK(Other == 20 && Same == 17 && Not == 4);
    Quiet();
}

TEST(sums_give_what_was_there_before)
{
    AtEach(Sums);
}

CHECK_DRIVER(T(doubly_linked_lists_say_who_was_at_that_end), T(singly_linked_lists_say_who_was_first),
             T(sequenced_lists_count), T(sums_give_what_was_there_before))
