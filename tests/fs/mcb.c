/* Map control blocks and the tunnel cache (docs: FsRtlAddLargeMcbEntry, FsRtlAddToTunnelCache). */
#include "../io/test.h"

static LARGE_MCB Mcb;

/* What the map says, run by run, against a list of Vbn, Lbn, count. */
static BOOLEAN Runs(ULONG Count, const LONGLONG (*Want)[3])
{
    LONGLONG Vbn, Lbn, Length;
    if (FsRtlNumberOfRunsInLargeMcb(&Mcb) != Count)
        return FALSE;
    for (ULONG i = 0; i < Count; i++)
        if (!FsRtlGetNextLargeMcbEntry(&Mcb, i, &Vbn, &Lbn, &Length) || Vbn != Want[i][0] || Lbn != Want[i][1] ||
            Length != Want[i][2])
            return FALSE;
    return !FsRtlGetNextLargeMcbEntry(&Mcb, Count, &Vbn, &Lbn, &Length);
}
#define RUNS(...)                                                                                                      \
    do {                                                                                                               \
        static const LONGLONG Want[][3] = {__VA_ARGS__};                                                               \
        CHECK(Runs(RTL_NUMBER_OF(Want), Want));                                                                        \
    } while (0)

static VOID runs_join_split_and_leave_holes(VOID)
{
    LONGLONG Vbn, Lbn, Count, Start, StartCount;
    ULONG Index;
    FsRtlInitializeLargeMcb(&Mcb, NonPagedPool);
    CHECK(FsRtlNumberOfRunsInLargeMcb(&Mcb) == 0);
    CHECK(!FsRtlLookupLastLargeMcbEntry(&Mcb, &Vbn, &Lbn));
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 0, 100, 10));
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 10, 110, 10)); /* continues */
    RUNS({0, 100, 20});
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 30, 500, 5));
    RUNS({0, 100, 20}, {20, -1, 10}, {30, 500, 5});
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 32, 502, 1));  /* known already */
    CHECK(!FsRtlAddLargeMcbEntry(&Mcb, 32, 700, 1)); /* and contradicted */
    CHECK(!FsRtlAddLargeMcbEntry(&Mcb, 15, 500, 10));
    RUNS({0, 100, 20}, {20, -1, 10}, {30, 500, 5});
    CHECK(FsRtlLookupLargeMcbEntry(&Mcb, 32, &Lbn, &Count, &Start, &StartCount, &Index));
    CHECK(Lbn == 502 && Count == 3 && Start == 500 && StartCount == 5 && Index == 2);
    CHECK(FsRtlLookupLargeMcbEntry(&Mcb, 25, &Lbn, &Count, NULL, NULL, NULL));
    CHECK(Lbn == -1 && Count == 5);
    CHECK(!FsRtlLookupLargeMcbEntry(&Mcb, 35, &Lbn, NULL, NULL, NULL, NULL));
    CHECK(FsRtlLookupLastLargeMcbEntryAndIndex(&Mcb, &Vbn, &Lbn, &Index));
    CHECK(Vbn == 34 && Lbn == 504 && Index == 2);
    FsRtlRemoveLargeMcbEntry(&Mcb, 5, 5);
    RUNS({0, 100, 5}, {5, -1, 5}, {10, 110, 10}, {20, -1, 10}, {30, 500, 5});
    FsRtlRemoveLargeMcbEntry(&Mcb, 30, 100); /* no hole at the end */
    RUNS({0, 100, 5}, {5, -1, 5}, {10, 110, 10});
    CHECK(FsRtlSplitLargeMcb(&Mcb, 12, 8));
    RUNS({0, 100, 5}, {5, -1, 5}, {10, 110, 2}, {12, -1, 8}, {20, 112, 8});
    CHECK(FsRtlSplitLargeMcb(&Mcb, 5, 5));
    RUNS({0, 100, 5}, {5, -1, 10}, {15, 110, 2}, {17, -1, 8}, {25, 112, 8});
    FsRtlTruncateLargeMcb(&Mcb, 20);
    RUNS({0, 100, 5}, {5, -1, 10}, {15, 110, 2});
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 5, 105, 10)); /* the hole is filled and joins what is before it */
    RUNS({0, 100, 15}, {15, 110, 2});
    FsRtlResetLargeMcb(&Mcb, TRUE);
    CHECK(FsRtlNumberOfRunsInLargeMcb(&Mcb) == 0);
    CHECK(!FsRtlAddLargeMcbEntry(&Mcb, -1, 0, 1));
    FsRtlUninitializeLargeMcb(&Mcb);
}

static VOID a_map_grows_with_its_runs(VOID)
{
    LONGLONG Lbn;
    FsRtlInitializeLargeMcb(&Mcb, PagedPool);
    for (ULONG i = 0; i < 1000; i++)
        CHECK(FsRtlAddLargeMcbEntry(&Mcb, 2 * i, 7 * i, 1));
    CHECK(FsRtlNumberOfRunsInLargeMcb(&Mcb) == 1999);
    for (ULONG i = 0; i < 1000; i++)
        CHECK(FsRtlLookupLargeMcbEntry(&Mcb, 2 * i, &Lbn, NULL, NULL, NULL, NULL) && Lbn == 7 * i);
    FsRtlUninitializeLargeMcb(&Mcb);
}

static VOID what_overlaps_must_agree(VOID)
{
    LONGLONG Vbn = -1, Lbn = -1, Count = -1, Start, StartCount;
    ULONG Index = 77;
    FsRtlInitializeLargeMcb(&Mcb, PagedPool);
    FsRtlTruncateLargeMcb(&Mcb, 0); /* of nothing */
    CHECK(!FsRtlLookupLargeMcbEntry(&Mcb, 5, &Lbn, &Count, NULL, NULL, NULL) && Lbn == -1 && Count == -1);
    CHECK(!FsRtlLookupLastLargeMcbEntryAndIndex(&Mcb, &Vbn, &Lbn, &Index) && Vbn == -1 && Index == 77);
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 1, 11, 4));
    RUNS({0, -1, 1}, {1, 11, 4});
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 20, 40, 4));
    FsRtlRemoveLargeMcbEntry(&Mcb, 1, 4);
    RUNS({0, -1, 20}, {20, 40, 4});
    CHECK(FsRtlLookupLargeMcbEntry(&Mcb, 5, &Lbn, &Count, &Start, &StartCount, &Index));
    CHECK(Lbn == -1 && Count == 15 && Start == -1 && StartCount == 20 && Index == 0);
    CHECK(FsRtlSplitLargeMcb(&Mcb, 20, 10)); /* a hole grows */
    RUNS({0, -1, 30}, {30, 40, 4});
    CHECK(!FsRtlAddLargeMcbEntry(&Mcb, 32, 43, 4));
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 33, 43, 4)); /* its first block is known, and the same */
    RUNS({0, -1, 30}, {30, 40, 7});
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 28, 38, 5)); /* its last ones are */
    RUNS({0, -1, 28}, {28, 38, 9});
    CHECK(!FsRtlAddLargeMcbEntry(&Mcb, 28, 37, 9));
    CHECK(FsRtlAddLargeMcbEntry(&Mcb, 37, 90, 1)); /* adjacent in the file, not on the disk */
    RUNS({0, -1, 28}, {28, 38, 9}, {37, 90, 1});
    FsRtlTruncateLargeMcb(&Mcb, 30);
    CHECK(FsRtlLookupLargeMcbEntry(&Mcb, 29, &Lbn, &Count, &Start, &StartCount, &Index));
    CHECK(Lbn == 39 && Count == 1 && Start == 38 && StartCount == 2 && Index == 1);
    FsRtlUninitializeLargeMcb(&Mcb);
}

static VOID the_latest_of_a_key_and_name_is_found(VOID)
{
    static TUNNEL Tunnel;
    UNICODE_STRING Short[2] = {RTL_CONSTANT_STRING(L"SOMETH~1.TXT"), RTL_CONSTANT_STRING(L"SOMETH~2.TXT")},
                   Long[2] = {RTL_CONSTANT_STRING(L"somethin.g1.txt"), RTL_CONSTANT_STRING(L"somethin.g2.txt")};
    WCHAR ShortText[13], LongText[16];
    FsRtlInitializeTunnelCache(&Tunnel);
    for (ULONG Data = 1; Data < 5; Data++) {
        ULONG i = Data & 1, Got = 0, Bytes = sizeof(Got);
        UNICODE_STRING FoundShort = {0, sizeof(ShortText), ShortText}, FoundLong = {0, sizeof(LongText), LongText};
        FsRtlAddToTunnelCache(&Tunnel, 1, &Short[i], &Long[i], TRUE, sizeof(Data), &Data);
        CHECK(FsRtlFindInTunnelCache(&Tunnel, 1, &Short[i], &FoundShort, &FoundLong, &Bytes, &Got));
        CHECK(Got == Data && FoundLong.Buffer == LongText);
        CHECK(Tunnel.NumEntries == (Data == 1 ? 1 : 2)); /* in place of the older one */
        CHECK(RtlEqualUnicodeString(&FoundLong, &Long[i], FALSE));
    }
    FsRtlDeleteTunnelCache(&Tunnel);
}

static VOID a_tunnel_keeps_fifteen_seconds(VOID)
{
    static TUNNEL Tunnel; /* a fast mutex is in it */
    UNICODE_STRING Short = RTL_CONSTANT_STRING(L"LONGNA~1.TXT"), Long = RTL_CONSTANT_STRING(L"LongName.text"),
                   Other = RTL_CONSTANT_STRING(L"longname.TEXT"), FoundShort, FoundLong;
    WCHAR ShortText[13], LongText[4];
    ULONG Data = 0x12345678, Got = 0, Bytes = sizeof(Got);
    LARGE_INTEGER Age = {.QuadPart = -16 * 10000000ll};
    FsRtlInitializeTunnelCache(&Tunnel);
    FsRtlAddToTunnelCache(&Tunnel, 5, &Short, &Long, FALSE, sizeof(Data), &Data);
    FoundShort = (UNICODE_STRING){0, sizeof(ShortText), ShortText};
    FoundLong = (UNICODE_STRING){0, sizeof(LongText), LongText};
    CHECK(!FsRtlFindInTunnelCache(&Tunnel, 6, &Other, &FoundShort, &FoundLong, &Bytes, &Got));
    CHECK(!FsRtlFindInTunnelCache(&Tunnel, 5, &Short, &FoundShort, &FoundLong, &Bytes, &Got));
    CHECK(FsRtlFindInTunnelCache(&Tunnel, 5, &Other, &FoundShort, &FoundLong, &Bytes, &Got));
    CHECK(Got == Data && Bytes == sizeof(Data));
    CHECK(RtlEqualUnicodeString(&FoundShort, &Short, FALSE) && RtlEqualUnicodeString(&FoundLong, &Long, FALSE));
    CHECK(FoundLong.Buffer != LongText); /* had no room */
    ExFreePool(FoundLong.Buffer);
    FoundLong = (UNICODE_STRING){0, sizeof(LongText), LongText};
    KeDelayExecutionThread(KernelMode, FALSE, &Age);
    CHECK(!FsRtlFindInTunnelCache(&Tunnel, 5, &Long, &FoundShort, &FoundLong, &Bytes, &Got));
    FsRtlAddToTunnelCache(&Tunnel, 5, &Short, &Long, TRUE, sizeof(Data), &Data);
    FsRtlAddToTunnelCache(&Tunnel, 7, &Short, &Long, TRUE, sizeof(Data), &Data);
    FsRtlDeleteKeyFromTunnelCache(&Tunnel, 5);
    CHECK(Tunnel.NumEntries == 1);
    FsRtlDeleteTunnelCache(&Tunnel);
}

TEST_MAIN(runs_join_split_and_leave_holes, a_map_grows_with_its_runs, what_overlaps_must_agree,
          the_latest_of_a_key_and_name_is_found, a_tunnel_keeps_fifteen_seconds)
