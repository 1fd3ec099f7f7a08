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

TEST_MAIN(runs_join_split_and_leave_holes, a_map_grows_with_its_runs, a_tunnel_keeps_fifteen_seconds)
