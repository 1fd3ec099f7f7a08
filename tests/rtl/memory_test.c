/*
 * memcpy, memset and friends: every small size at every alignment against the plain loop, and the long paths.
 */
#include "test.h"

#undef RtlCompareMemory

static UCHAR Area[16384], Expected[16384];

static VOID Fill(VOID)
{
    for (ULONG i = 0; i < sizeof(Area); i++)
        Area[i] = Expected[i] = (UCHAR)(i * 7 + (i >> 8));
}

static BOOLEAN AreaIsExpected(VOID)
{
    for (ULONG i = 0; i < sizeof(Area); i++)
        if (Area[i] != Expected[i])
            return FALSE;
    return TRUE;
}

static VOID PlainMove(UCHAR *To, const UCHAR *From, ULONG Bytes)
{
    if (To <= From)
        for (ULONG i = 0; i < Bytes; i++)
            To[i] = From[i];
    else
        while (Bytes--)
            To[Bytes] = From[Bytes];
}

static const ULONG Sizes[] = {0,   1,   2,   3,    4,    5,    7,    8,    9,    15,   16,  17,
                              31,  32,  33,  47,   48,   63,   64,   65,   96,   127,  128, 129,
                              191, 255, 256, 1000, 1023, 1024, 1025, 2047, 2048, 2049, 5000};

static VOID MoveAllWays(VOID)
{
    static const LONG Distance[] = {-5000, -129, -65, -64, -63, -33, -16, -15, -1,  0,
                                    1,     7,    15,  16,  63,  64,  65,  127, 5000};

    for (ULONG s = 0; s < ARRAYSIZE(Sizes); s++)
        for (ULONG d = 0; d < ARRAYSIZE(Distance); d++)
            for (ULONG a = 0; a < 3; a++) {
                Fill();
                PlainMove(Expected + 5500 + a + Distance[d], Expected + 5500 + a, Sizes[s]);
                CHECK(memmove(Area + 5500 + a + Distance[d], Area + 5500 + a, Sizes[s]) ==
                      Area + 5500 + a + Distance[d]);
                if (!AreaIsExpected()) {
                    EQUAL(Distance[d], Sizes[s]);
                    CHECK(AreaIsExpected());
                }
            }
}

static VOID SetAllWays(VOID)
{
    for (ULONG s = 0; s < ARRAYSIZE(Sizes); s++)
        for (ULONG a = 0; a < 17; a++) {
            Fill();
            for (ULONG i = 0; i < Sizes[s]; i++)
                Expected[100 + a + i] = 0xcd;
            CHECK(memset(Area + 100 + a, 0x5cd, Sizes[s]) == Area + 100 + a);
            CHECK(AreaIsExpected());
        }
}

static VOID Compare(VOID)
{
    for (ULONG s = 1; s < ARRAYSIZE(Sizes); s++) {
        ULONG Size = Sizes[s];
        Fill();
        EQUAL(memcmp(Area, Expected, Size), 0);
        EQUAL(RtlCompareMemory(Area, Expected, Size), Size);
        Area[Size - 1] = 0xff;
        Expected[Size - 1] = 0x01;
        EQUAL(memcmp(Area, Expected, Size), 1);
        EQUAL(memcmp(Expected, Area, Size), -1);
        EQUAL(RtlCompareMemory(Area, Expected, Size), Size - 1);
    }
}

static VOID SafeForms(VOID)
{
    UCHAR To[8] = "1234567";

    EQUAL(memcpy_s(To, 4, "abcdefgh", 8), ERANGE);
    CHECK(!To[0] && !To[3] && To[4] == '5');
    EQUAL(memcpy_s(To, 8, NULL, 1), EINVAL);
    EQUAL(memcpy_s(NULL, 0, "a", 1), EINVAL);
    EQUAL(memcpy_s(NULL, 0, NULL, 0), 0);
    EQUAL(memcpy_s(To, 8, "abc", 4), 0);
    SAME((PCSTR)To, "abc");
    EQUAL(memmove_s(To, 2, "xyz", 3), ERANGE);
    SAME((PCSTR)To, "abc");
}

const RTL_TEST MemoryTests[] = {
    {"memmove_copies_every_size_and_overlap", MoveAllWays},
    {"memset_fills_exactly_the_block", SetAllWays},
    {"memcmp_and_RtlCompareMemory_find_the_first_difference", Compare},
    {"memory_s_forms_refuse_a_small_room", SafeForms},
    {0},
};
