/*
 * Bit maps against a plain array, trees against their rules, dates and versions against known ones.
 */
#include "test.h"

/* ---- Bit maps -------------------------------------------------------------------------------------------------- */

static ULONG MapWords[5];
static UCHAR Plain[150];
static RTL_BITMAP Map = {150, MapWords};

static ULONG PlainFind(ULONG Count, ULONG Hint, UCHAR Value)
{
    for (ULONG Pass = 0; Pass < 2; Pass++)
        for (ULONG At = Pass ? 0 : Hint; At + Count <= 150; At++) {
            ULONG n = 0;
            while (n < Count && Plain[At + n] == Value)
                n++;
            if (n == Count)
                return At;
        }
    return ~0u;
}

static VOID BitMaps(VOID)
{
    ULONG Start, Length;

    srand(3);
    RtlClearAllBits(&Map);
    for (ULONG Round = 0; Round < 3000; Round++) {
        ULONG At = (ULONG)rand() % 150, Count = (ULONG)rand() % (151 - At), Hint = (ULONG)rand() % 150;
        ULONG Set = 0, Want = (ULONG)rand() % 12 + 1;
        if (Round & 1) {
            RtlSetBits(&Map, At, Count % 20);
            memset(Plain + At, 1, Count % 20);
        } else {
            RtlClearBits(&Map, At, Count % 20);
            memset(Plain + At, 0, Count % 20);
        }
        for (ULONG i = 0; i < 150; i++) {
            Set += Plain[i];
            if (RtlTestBit(&Map, i) != Plain[i])
                TestFail(__FILE_NAME__, __LINE__, "a bit differs");
        }
        EQUAL(RtlNumberOfSetBits(&Map), Set);
        EQUAL(RtlFindClearBits(&Map, Want, Hint), PlainFind(Want, Hint, 0));
        EQUAL(RtlFindSetBits(&Map, Want, Hint), PlainFind(Want, Hint, 1));
        for (Start = Hint; Start < 150 && Plain[Start]; Start++)
            ;
        for (Length = 0; Start + Length < 150 && !Plain[Start + Length]; Length++)
            ;
        EQUAL(RtlFindNextForwardRunClear(&Map, Hint, &At), Length);
        if (Length)
            EQUAL(At, Start);
        for (Start = Hint + 1; Start && Plain[Start - 1]; Start--)
            ;
        for (Length = 0; Start && !Plain[Start - 1]; Start--)
            Length++;
        EQUAL(RtlFindLastBackwardRunClear(&Map, Hint, &At), Length);
        if (Length)
            EQUAL(At, Start);
    }
}

static VOID BitRuns(VOID)
{
    RTL_BITMAP_RUN Runs[3];
    ULONG At;

    RtlSetAllBits(&Map);
    EQUAL(RtlFindClearBits(&Map, 1, 0), ~0u);
    EQUAL(RtlFindClearRuns(&Map, Runs, 3, TRUE), 0);
    RtlClearBits(&Map, 3, 2);
    RtlClearBits(&Map, 10, 40);
    RtlClearBits(&Map, 60, 1);
    RtlClearBits(&Map, 100, 50);
    EQUAL(RtlFindClearRuns(&Map, Runs, 3, TRUE), 3);
    CHECK(Runs[0].StartingIndex == 100 && Runs[0].NumberOfBits == 50);
    CHECK(Runs[1].StartingIndex == 10 && Runs[2].StartingIndex == 3);
    EQUAL(RtlFindClearRuns(&Map, Runs, 3, FALSE), 3);
    CHECK(Runs[0].StartingIndex == 3 && Runs[2].StartingIndex == 60);
    EQUAL(RtlFindLongestRunClear(&Map, &At), 50);
    EQUAL(At, 100);
    EQUAL(RtlFindClearBitsAndSet(&Map, 20, 20), 20);
    EQUAL(RtlFindClearBitsAndSet(&Map, 20, 20), 100);
    CHECK(RtlAreBitsSet(&Map, 100, 20) && !RtlAreBitsSet(&Map, 100, 21) && RtlAreBitsClear(&Map, 120, 30));
    CHECK(!RtlAreBitsClear(&Map, 120, 31) && !RtlAreBitsClear(&Map, 120, 0));
    EQUAL(RtlFindMostSignificantBit(0x8001), 15);
    EQUAL((UCHAR)RtlFindLeastSignificantBit(0), 0xff);
}

/* ---- Trees ----------------------------------------------------------------------------------------------------- */

static RTL_GENERIC_COMPARE_RESULTS Order(ULONG Left, ULONG Right)
{
    return Left < Right ? GenericLessThan : Left > Right ? GenericGreaterThan : GenericEqual;
}

static RTL_GENERIC_COMPARE_RESULTS NTAPI CompareAvl(PRTL_AVL_TABLE Table, PVOID Left, PVOID Right)
{
    return Order(*(PULONG)Left, *(PULONG)Right);
}

static PVOID NTAPI AllocateAvl(PRTL_AVL_TABLE Table, CLONG Bytes)
{
    return ExAllocatePoolWithTag(PagedPool, Bytes, 'tset');
}

static VOID NTAPI FreeAvl(PRTL_AVL_TABLE Table, PVOID Block)
{
    ExFreePoolWithTag(Block, 'tset');
}

static RTL_GENERIC_COMPARE_RESULTS NTAPI CompareSplay(PRTL_GENERIC_TABLE Table, PVOID Left, PVOID Right)
{
    return Order(*(PULONG)Left, *(PULONG)Right);
}

static PVOID NTAPI AllocateSplay(PRTL_GENERIC_TABLE Table, CLONG Bytes)
{
    return ExAllocatePoolWithTag(PagedPool, Bytes, 'tset');
}

static VOID NTAPI FreeSplay(PRTL_GENERIC_TABLE Table, PVOID Block)
{
    ExFreePoolWithTag(Block, 'tset');
}

static LONG Height(PRTL_BALANCED_LINKS Node)
{
    LONG Left, Right;

    if (!Node)
        return 0;
    Left = Height(Node->LeftChild);
    Right = Height(Node->RightChild);
    if (Right - Left != Node->Balance || Node->Balance < -1 || Node->Balance > 1)
        TestFail(__FILE_NAME__, __LINE__, "an AVL node is out of balance");
    if ((Node->LeftChild && Node->LeftChild->Parent != Node) || (Node->RightChild && Node->RightChild->Parent != Node))
        TestFail(__FILE_NAME__, __LINE__, "an AVL node's parent is wrong");
    return 1 + (Left > Right ? Left : Right);
}

static VOID Avl(VOID)
{
    RTL_AVL_TABLE Table;
    UCHAR Present[256] = {0};
    ULONG Count = 0, Key, Seen;
    PVOID Restart;
    BOOLEAN New;

    srand(5);
    RtlInitializeGenericTableAvl(&Table, CompareAvl, AllocateAvl, FreeAvl, NULL);
    for (ULONG Round = 0; Round < 4000; Round++) {
        Key = (ULONG)rand() % 256;
        if (rand() & 64 ? Round < 3000 : 0) {
            CHECK(*(PULONG)RtlInsertElementGenericTableAvl(&Table, &Key, sizeof(Key), &New) == Key);
            EQUAL(New, !Present[Key]);
            Count += !Present[Key];
            Present[Key] = 1;
        } else {
            EQUAL(RtlDeleteElementGenericTableAvl(&Table, &Key), Present[Key]);
            Count -= Present[Key];
            Present[Key] = 0;
        }
        EQUAL(RtlNumberGenericTableElementsAvl(&Table), Count);
        if (Round % 64 == 0) {
            EQUAL(Height(Table.BalancedRoot.RightChild), Table.DepthOfTree);
            Restart = NULL;
            Seen = 0;
            for (PULONG P; (P = RtlEnumerateGenericTableWithoutSplayingAvl(&Table, &Restart)) != NULL; Seen++) {
                CHECK(Present[*P]);
                CHECK(RtlGetElementGenericTableAvl(&Table, Seen) == P);
            }
            EQUAL(Seen, Count);
        }
    }
    for (Key = 0; Key < 256; Key++) {
        CHECK(!RtlLookupElementGenericTableAvl(&Table, &Key) == !Present[Key]);
        RtlDeleteElementGenericTableAvl(&Table, &Key);
    }
    CHECK(RtlIsGenericTableEmptyAvl(&Table) && !Table.DepthOfTree);
}

static VOID Splay(VOID)
{
    RTL_GENERIC_TABLE Table;
    UCHAR Present[256] = {0};
    ULONG Count = 0, Key, Last;
    PVOID Restart;
    BOOLEAN New;

    srand(6);
    RtlInitializeGenericTable(&Table, CompareSplay, AllocateSplay, FreeSplay, NULL);
    for (ULONG Round = 0; Round < 4000; Round++) {
        Key = (ULONG)rand() % 256;
        if (rand() & 64) {
            CHECK(*(PULONG)RtlInsertElementGenericTable(&Table, &Key, sizeof(Key), &New) == Key);
            EQUAL(New, !Present[Key]);
            Count += !Present[Key];
            Present[Key] = 1;
        } else {
            EQUAL(RtlDeleteElementGenericTable(&Table, &Key), Present[Key]);
            Count -= Present[Key];
            Present[Key] = 0;
        }
        EQUAL(RtlNumberGenericTableElements(&Table), Count);
        if (Round % 64 == 0) {
            ULONG Seen = 0;
            Last = 0;
            for (PULONG P = RtlEnumerateGenericTable(&Table, TRUE); P; P = RtlEnumerateGenericTable(&Table, FALSE)) {
                CHECK(Present[*P] && (!Seen || *P > Last));
                Last = *P;
                Seen++;
            }
            EQUAL(Seen, Count);
            Restart = NULL;
            while (RtlEnumerateGenericTableWithoutSplaying(&Table, &Restart))
                Seen--;
            EQUAL(Seen, 0);
        }
    }
    for (Key = 0; Key < 256; Key++) {
        CHECK(!RtlLookupElementGenericTable(&Table, &Key) == !Present[Key]);
        RtlDeleteElementGenericTable(&Table, &Key);
    }
    CHECK(RtlIsGenericTableEmpty(&Table));
    for (Key = 10; Key; Key--)
        RtlInsertElementGenericTable(&Table, &Key, sizeof(Key), NULL);
    EQUAL(*(PULONG)RtlGetElementGenericTable(&Table, 0), 10);
    EQUAL(*(PULONG)RtlGetElementGenericTable(&Table, 7), 3);
    EQUAL(*(PULONG)RtlGetElementGenericTable(&Table, 2), 8);
    CHECK(!RtlGetElementGenericTable(&Table, 10));
    for (Key = 1; Key <= 10; Key++)
        RtlDeleteElementGenericTable(&Table, &Key);
}

/* ---- Dates, versions, numbers ---------------------------------------------------------------------------------- */

static VOID Dates(VOID)
{
    LARGE_INTEGER Time = {.QuadPart = 0}, Back;
    TIME_FIELDS F;
    ULONG Seconds;

    RtlTimeToTimeFields(&Time, &F);
    CHECK(F.Year == 1601 && F.Month == 1 && F.Day == 1 && F.Weekday == 1);
    RtlSecondsSince1970ToTime(1709210096, &Time); /* Thursday, 29 February 2024, 12:34:56 */
    RtlTimeToTimeFields(&Time, &F);
    CHECK(F.Year == 2024 && F.Month == 2 && F.Day == 29 && F.Weekday == 4);
    CHECK(F.Hour == 12 && F.Minute == 34 && F.Second == 56 && F.Milliseconds == 0);
    CHECK(RtlTimeFieldsToTime(&F, &Back) && Back.QuadPart == Time.QuadPart);
    F.Year = 2023;
    CHECK(!RtlTimeFieldsToTime(&F, &Back));
    for (INT64 Day = 0; Day < 400000; Day += 37) {
        Time.QuadPart = Day * 864000000000 + 86399 * 10000000ll + 9990000;
        RtlTimeToTimeFields(&Time, &F);
        CHECK(RtlTimeFieldsToTime(&F, &Back) && Back.QuadPart == Time.QuadPart);
        CHECK(F.Weekday == (Day + 1) % 7);
    }
    RtlSecondsSince1980ToTime(0, &Time);
    RtlTimeToTimeFields(&Time, &F);
    CHECK(F.Year == 1980 && F.Month == 1 && F.Day == 1);
    CHECK(RtlTimeToSecondsSince1970(&Time, &Seconds) && Seconds == 315532800);
    Time.QuadPart = 0;
    CHECK(!RtlTimeToSecondsSince1970(&Time, &Seconds));
}

ULONGLONG NTAPI VerSetConditionMask(ULONGLONG ConditionMask, ULONG TypeMask, UCHAR Condition);

static NTSTATUS Verify(ULONG Major, ULONG Minor, ULONG Build, UCHAR Condition)
{
    RTL_OSVERSIONINFOEXW Wanted = {.dwMajorVersion = Major, .dwMinorVersion = Minor, .dwBuildNumber = Build};
    ULONGLONG Mask = VerSetConditionMask(0, VER_MAJORVERSION, Condition);

    Mask = VerSetConditionMask(Mask, VER_MINORVERSION, Condition);
    Mask = VerSetConditionMask(Mask, VER_BUILDNUMBER, Condition);
    return RtlVerifyVersionInfo(&Wanted, VER_MAJORVERSION | VER_MINORVERSION | (Build ? VER_BUILDNUMBER : 0), Mask);
}

static VOID Versions(VOID)
{
    RTL_OSVERSIONINFOEXW Info = {.dwOSVersionInfoSize = sizeof(Info)};

    EQUAL(RtlGetVersion((PRTL_OSVERSIONINFOW)&Info), STATUS_SUCCESS);
    CHECK(Info.dwMajorVersion == 10 && Info.dwBuildNumber == 19045 && Info.wProductType == 1);
    EQUAL(Verify(10, 0, 0, VER_GREATER_EQUAL), STATUS_SUCCESS);
    EQUAL(Verify(6, 3, 0, VER_GREATER_EQUAL), STATUS_SUCCESS); /* 10.0 is above 6.3 although 0 is below 3 */
    EQUAL(Verify(10, 1, 0, VER_GREATER_EQUAL), STATUS_REVISION_MISMATCH);
    EQUAL(Verify(10, 0, 0, VER_GREATER), STATUS_REVISION_MISMATCH);
    EQUAL(Verify(10, 0, 19045, VER_EQUAL), STATUS_SUCCESS);
    EQUAL(Verify(10, 0, 22000, VER_GREATER_EQUAL), STATUS_REVISION_MISMATCH);
    EQUAL(Verify(11, 0, 0, VER_LESS), STATUS_SUCCESS);
}

ULONG NTAPI RtlComputeCrc32(ULONG PartialCrc, PVOID Buffer, ULONG Length);

static VOID Numbers(VOID)
{
    ULONG Seed = 1, Other = 1;

    for (ULONG i = 0; i < 1000; i++) {
        ULONG Value = RtlRandomEx(&Seed);
        CHECK(Value < MAXLONG && Value == RtlRandomEx(&Other));
    }
    EQUAL(RtlComputeCrc32(0, "123456789", 9), 0xcbf43926);
    EQUAL(RtlComputeCrc32(RtlComputeCrc32(0, "1234", 4), "56789", 5), 0xcbf43926);
}

const RTL_TEST TableTests[] = {
    {"bit_maps_agree_with_a_plain_array", BitMaps},
    {"runs_of_clear_bits_are_found", BitRuns},
    {"avl_tables_stay_balanced", Avl},
    {"splay_tables_keep_order", Splay},
    {"dates_convert_both_ways", Dates},
    {"versions_compare_as_documented", Versions},
    {"random_numbers_and_checksum", Numbers},
    {0},
};
