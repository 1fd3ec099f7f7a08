/*
 * Bit maps: bit n is bit n % 32 of ULONG n / 32. The memory is the caller's; whole ULONGs of it are read and written,
 * and bits behind the size may have any value.
 *
 * Finding is built on one step, the length of the run of equal bits that begins at an index, which goes by the word.
 * A search starts at the hint and wraps around to the bits before it (docs: RtlFindClearBits).
 */
#include "nt.h"

#define NOT_FOUND 0xffffffffu

static inline BOOLEAN RtlpBit(const RTL_BITMAP *Map, ULONG Index)
{
    return (Map->Buffer[Index / 32] >> (Index % 32)) & 1;
}

/* Number of bits from Index on that have the value of the bit at Index, at most up to End. */
static ULONG RtlpRun(const RTL_BITMAP *Map, ULONG Index, ULONG End, BOOLEAN Value)
{
    ULONG At = Index;

    while (At < End) {
        ULONG Word = (Value ? ~Map->Buffer[At / 32] : Map->Buffer[At / 32]) >> (At % 32);
        if (Word) {
            At += (ULONG)__builtin_ctz(Word);
            break;
        }
        At += 32 - At % 32;
    }
    return (At < End ? At : End) - Index;
}

VOID NTAPI RtlInitializeBitMap(PRTL_BITMAP BitMapHeader, PULONG BitMapBuffer, ULONG SizeOfBitMap)
{
    BitMapHeader->SizeOfBitMap = SizeOfBitMap;
    BitMapHeader->Buffer = BitMapBuffer;
}

/* ---- Setting and clearing -------------------------------------------------------------------------------------- */

static VOID RtlpPutBits(PRTL_BITMAP Map, ULONG Index, ULONG Count, BOOLEAN Value)
{
    while (Count) {
        ULONG Shift = Index % 32, Bits = 32 - Shift < Count ? 32 - Shift : Count;
        ULONG Mask = (Bits == 32 ? ~0u : (1u << Bits) - 1) << Shift;
        if (Value)
            Map->Buffer[Index / 32] |= Mask;
        else
            Map->Buffer[Index / 32] &= ~Mask;
        Index += Bits;
        Count -= Bits;
    }
}

VOID NTAPI RtlClearAllBits(PRTL_BITMAP BitMapHeader)
{
    memset(BitMapHeader->Buffer, 0, ((UINT64)BitMapHeader->SizeOfBitMap + 31) / 32 * 4);
}

VOID NTAPI RtlSetAllBits(PRTL_BITMAP BitMapHeader)
{
    memset(BitMapHeader->Buffer, 0xff, ((UINT64)BitMapHeader->SizeOfBitMap + 31) / 32 * 4);
}

VOID NTAPI RtlClearBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    RtlpPutBits(BitMapHeader, BitNumber, 1, FALSE);
}

VOID NTAPI RtlSetBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    RtlpPutBits(BitMapHeader, BitNumber, 1, TRUE);
}

VOID NTAPI RtlClearBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToClear)
{
    RtlpPutBits(BitMapHeader, StartingIndex, NumberToClear, FALSE);
}

VOID NTAPI RtlSetBits(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG NumberToSet)
{
    RtlpPutBits(BitMapHeader, StartingIndex, NumberToSet, TRUE);
}

/* ---- Asking ---------------------------------------------------------------------------------------------------- */

BOOLEAN NTAPI RtlTestBit(PRTL_BITMAP BitMapHeader, ULONG BitNumber)
{
    return BitNumber < BitMapHeader->SizeOfBitMap && RtlpBit(BitMapHeader, BitNumber);
}

/* docs: RtlAreBitsClear; FALSE for no bits and for a range that is not wholly inside. */
static BOOLEAN RtlpAreBits(const RTL_BITMAP *Map, ULONG Index, ULONG Count, BOOLEAN Value)
{
    if (!Count || Index >= Map->SizeOfBitMap || Count > Map->SizeOfBitMap - Index)
        return FALSE;
    return RtlpRun(Map, Index, Index + Count, Value) == Count;
}

BOOLEAN NTAPI RtlAreBitsClear(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return RtlpAreBits(BitMapHeader, StartingIndex, Length, FALSE);
}

BOOLEAN NTAPI RtlAreBitsSet(PRTL_BITMAP BitMapHeader, ULONG StartingIndex, ULONG Length)
{
    return RtlpAreBits(BitMapHeader, StartingIndex, Length, TRUE);
}

ULONG NTAPI RtlNumberOfSetBitsUlongPtr(ULONG_PTR Target)
{
    return (ULONG)__builtin_popcountll(Target);
}

ULONG NTAPI RtlNumberOfSetBits(PRTL_BITMAP BitMapHeader)
{
    ULONG Size = BitMapHeader->SizeOfBitMap, Count = 0;

    for (ULONG i = 0; i < Size / 32; i++)
        Count += (ULONG)__builtin_popcount(BitMapHeader->Buffer[i]);
    if (Size % 32)
        Count += (ULONG)__builtin_popcount(BitMapHeader->Buffer[Size / 32] & ((1u << Size % 32) - 1));
    return Count;
}

ULONG NTAPI RtlNumberOfClearBits(PRTL_BITMAP BitMapHeader)
{
    return BitMapHeader->SizeOfBitMap - RtlNumberOfSetBits(BitMapHeader);
}

/* docs: RtlFindLeastSignificantBit; -1 when no bit is set. */
CCHAR NTAPI RtlFindLeastSignificantBit(ULONGLONG Set)
{
    return Set ? (CCHAR)__builtin_ctzll(Set) : -1;
}

CCHAR NTAPI RtlFindMostSignificantBit(ULONGLONG Set)
{
    return Set ? (CCHAR)(63 - __builtin_clzll(Set)) : -1;
}

/* ---- Finding --------------------------------------------------------------------------------------------------- */

/* The first run of Count bits of Value that begins in [Start, Last] and ends before End. */
static ULONG RtlpFindFrom(const RTL_BITMAP *Map, ULONG Count, ULONG Start, ULONG End, BOOLEAN Value)
{
    ULONG At = Start;

    while (At < End && Count <= End - At) {
        ULONG Run = RtlpRun(Map, At, End, Value);
        if (Run >= Count)
            return At;
        At += Run;
        At += RtlpRun(Map, At, End, !Value);
    }
    return NOT_FOUND;
}

static ULONG RtlpFind(const RTL_BITMAP *Map, ULONG Count, ULONG Hint, BOOLEAN Value)
{
    ULONG Size = Map->SizeOfBitMap, Found, Limit;

    if (Hint >= Size)
        Hint = 0;
    if (Count > Size)
        return NOT_FOUND;
    if (!Count)
        return Hint & ~7u; /* docs: the hint, rounded down to a byte */
    Found = RtlpFindFrom(Map, Count, Hint, Size, Value);
    if (Found == NOT_FOUND && Hint) {
        Limit = Size - Hint < Count ? Size : Hint + Count; /* a run that begins before the hint may reach over it */
        Found = RtlpFindFrom(Map, Count, 0, Limit, Value);
    }
    return Found;
}

ULONG NTAPI RtlFindClearBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return RtlpFind(BitMapHeader, NumberToFind, HintIndex, FALSE);
}

ULONG NTAPI RtlFindSetBits(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    return RtlpFind(BitMapHeader, NumberToFind, HintIndex, TRUE);
}

ULONG NTAPI RtlFindClearBitsAndSet(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG Found = RtlpFind(BitMapHeader, NumberToFind, HintIndex, FALSE);

    if (Found != NOT_FOUND)
        RtlpPutBits(BitMapHeader, Found, NumberToFind, TRUE);
    return Found;
}

ULONG NTAPI RtlFindSetBitsAndClear(PRTL_BITMAP BitMapHeader, ULONG NumberToFind, ULONG HintIndex)
{
    ULONG Found = RtlpFind(BitMapHeader, NumberToFind, HintIndex, TRUE);

    if (Found != NOT_FOUND)
        RtlpPutBits(BitMapHeader, Found, NumberToFind, FALSE);
    return Found;
}

/* docs: RtlFindNextForwardRunClear; the length of the run, 0 when there is none. */
ULONG NTAPI RtlFindNextForwardRunClear(PRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex)
{
    ULONG Size = BitMapHeader->SizeOfBitMap;

    if (FromIndex >= Size) {
        *StartingRunIndex = FromIndex;
        return 0;
    }
    *StartingRunIndex = FromIndex + RtlpRun(BitMapHeader, FromIndex, Size, TRUE);
    return RtlpRun(BitMapHeader, *StartingRunIndex, Size, FALSE);
}

ULONG NTAPI RtlFindFirstRunClear(PRTL_BITMAP BitMapHeader, PULONG StartingIndex)
{
    return RtlFindNextForwardRunClear(BitMapHeader, 0, StartingIndex);
}

/* docs: RtlFindLastBackwardRunClear; the run that ends at FromIndex or before. */
ULONG NTAPI RtlFindLastBackwardRunClear(PRTL_BITMAP BitMapHeader, ULONG FromIndex, PULONG StartingRunIndex)
{
    ULONG End, Start;

    if (FromIndex >= BitMapHeader->SizeOfBitMap)
        FromIndex = BitMapHeader->SizeOfBitMap - 1;
    for (End = FromIndex + 1; End && RtlpBit(BitMapHeader, End - 1); End--)
        ;
    for (Start = End; Start && !RtlpBit(BitMapHeader, Start - 1); Start--)
        ;
    *StartingRunIndex = End ? Start : FromIndex;
    return End - Start;
}

/* docs: RtlFindClearRuns; the first runs, or the longest ones, longest first. */
ULONG NTAPI RtlFindClearRuns(PRTL_BITMAP BitMapHeader, PRTL_BITMAP_RUN RunArray, ULONG SizeOfRunArray,
                             BOOLEAN LocateLongestRuns)
{
    ULONG Found = 0, Start, Length;

    for (ULONG At = 0; (Length = RtlFindNextForwardRunClear(BitMapHeader, At, &Start)) != 0; At = Start + Length) {
        ULONG Place = Found;
        if (LocateLongestRuns)
            while (Place && RunArray[Place - 1].NumberOfBits < Length)
                Place--;
        else if (Found == SizeOfRunArray)
            break;
        if (Place == SizeOfRunArray)
            continue;
        if (Found < SizeOfRunArray)
            Found++;
        for (ULONG i = Found - 1; i > Place; i--)
            RunArray[i] = RunArray[i - 1];
        RunArray[Place].StartingIndex = Start;
        RunArray[Place].NumberOfBits = Length;
    }
    return Found;
}

ULONG NTAPI RtlFindLongestRunClear(PRTL_BITMAP BitMapHeader, PULONG StartingIndex)
{
    RTL_BITMAP_RUN Run = {0, 0};

    RtlFindClearRuns(BitMapHeader, &Run, 1, TRUE);
    *StartingIndex = Run.StartingIndex;
    return Run.NumberOfBits;
}
