/*
 * Inside the test image: a test is a function that CHECKs; a file of tests is a table that ends with an empty row.
 */
#pragma once

#include "nt.h"
#include "rtltest.h"

typedef struct _RTL_TEST {
    PCSTR Name; /* what must be true */
    VOID (*Run)(VOID);
} RTL_TEST;

extern struct rtltest_host *TestHost;
extern ULONG TestFailures;
extern ULONG TestBlocks; /* pool blocks not yet freed */

VOID TestPrint(PCSTR Format, ...);
VOID TestFail(PCSTR File, ULONG Line, PCSTR What);

#define CHECK(Condition) ((Condition) ? (VOID)0 : TestFail(__FILE_NAME__, __LINE__, #Condition))

/* Compares by value and prints both. */
VOID TestEqual(PCSTR File, ULONG Line, PCSTR What, UINT64 Got, UINT64 Wanted);
#define EQUAL(Got, Wanted) TestEqual(__FILE_NAME__, __LINE__, #Got, (UINT64)(Got), (UINT64)(Wanted))
VOID TestSame(PCSTR File, ULONG Line, PCSTR Got, PCSTR Wanted);
#define SAME(Got, Wanted) TestSame(__FILE_NAME__, __LINE__, Got, Wanted)
VOID TestSameWide(PCSTR File, ULONG Line, PCWSTR Got, PCWSTR Wanted);
#define SAMEW(Got, Wanted) TestSameWide(__FILE_NAME__, __LINE__, Got, Wanted)

/* Repeat Body, print the time of one turn. */
#define FIGURE(Name, Count, Body)                                                                                      \
    do {                                                                                                               \
        UINT64 Best = ~0ull;                                                                                           \
        for (ULONG Round = 0; Round < 7; Round++) {                                                                    \
            UINT64 Start = TestHost->nanoseconds();                                                                    \
            for (ULONG Turn = 0; Turn < (Count); Turn++) {                                                             \
                Body;                                                                                                  \
            }                                                                                                          \
            UINT64 Spent = TestHost->nanoseconds() - Start;                                                            \
            Best = Spent < Best ? Spent : Best;                                                                        \
        }                                                                                                              \
        TestPrint("%-44s %5I64u.%02I64u ns\n", Name, Best / (Count), Best * 100 / (Count) % 100);                      \
    } while (0)
