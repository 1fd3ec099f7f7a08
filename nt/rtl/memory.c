/*
 * Blocks of memory: the C routines that drivers import and that the compiler calls by itself, and the Rtl forms.
 *
 * memcpy is memmove, as it is in Windows' kernel: overlapping operands are copied correctly. Short blocks are moved by
 * two overlapping accesses of a fixed size, without a loop; middle ones by 64 bytes a turn; long ones by the string
 * instructions, which today's processors do by the cache line. The direction flag is clear on entry by the calling
 * convention.
 *
 * None of these routines touches a byte outside the operands, so a guard page right behind a block is never hit by
 * them.
 */
#include "nt.h"
#include <emmintrin.h>

#undef RtlCompareMemory
#undef RtlCompareMemoryUlong
#undef RtlFillMemory
#undef RtlMoveMemory
#undef RtlCopyMemory
#undef RtlCopyMemoryNonTemporal
#undef RtlZeroMemory
#undef RtlFillMemoryUlong
#undef RtlFillMemoryUlonglong

/* From this size on the string instructions win. */
#define RTLP_STRING_COPY 2048
#define RTLP_STRING_FILL 1024

#define LOAD16(p) _mm_loadu_si128((const __m128i *)(p))
#define STORE16(p, v) _mm_storeu_si128((__m128i *)(p), (v))

typedef UINT64 __attribute__((aligned(1), may_alias)) RTLP_ANY64;
typedef UINT32 __attribute__((aligned(1), may_alias)) RTLP_ANY32;
typedef UINT16 __attribute__((aligned(1), may_alias)) RTLP_ANY16;

/* Up to 64 bytes: everything is loaded before anything is stored, so overlap does not matter. */
static inline void RtlpCopyShort(unsigned char *To, const unsigned char *From, size_t Bytes)
{
    if (Bytes > 32) {
        __m128i A = LOAD16(From), B = LOAD16(From + 16), C = LOAD16(From + Bytes - 32), D = LOAD16(From + Bytes - 16);
        STORE16(To, A);
        STORE16(To + 16, B);
        STORE16(To + Bytes - 32, C);
        STORE16(To + Bytes - 16, D);
    } else if (Bytes >= 16) {
        __m128i A = LOAD16(From), B = LOAD16(From + Bytes - 16);
        STORE16(To, A);
        STORE16(To + Bytes - 16, B);
    } else if (Bytes >= 8) {
        UINT64 A = *(RTLP_ANY64 *)From, B = *(RTLP_ANY64 *)(From + Bytes - 8);
        *(RTLP_ANY64 *)To = A;
        *(RTLP_ANY64 *)(To + Bytes - 8) = B;
    } else if (Bytes >= 4) {
        UINT32 A = *(RTLP_ANY32 *)From, B = *(RTLP_ANY32 *)(From + Bytes - 4);
        *(RTLP_ANY32 *)To = A;
        *(RTLP_ANY32 *)(To + Bytes - 4) = B;
    } else if (Bytes >= 2) {
        UINT16 A = *(RTLP_ANY16 *)From, B = *(RTLP_ANY16 *)(From + Bytes - 2);
        *(RTLP_ANY16 *)To = A;
        *(RTLP_ANY16 *)(To + Bytes - 2) = B;
    } else if (Bytes) {
        *To = *From;
    }
}

/* More than 64 bytes, upward; right when To lies below From or the blocks are apart. The tail is loaded first. */
static inline void RtlpCopyUpward(unsigned char *To, const unsigned char *From, size_t Bytes)
{
    const unsigned char *Tail = From + Bytes - 64;
    unsigned char *ToTail = To + Bytes - 64;
    __m128i T0 = LOAD16(Tail), T1 = LOAD16(Tail + 16), T2 = LOAD16(Tail + 32), T3 = LOAD16(Tail + 48);

    while (To < ToTail) {
        __m128i A = LOAD16(From), B = LOAD16(From + 16), C = LOAD16(From + 32), D = LOAD16(From + 48);
        STORE16(To, A);
        STORE16(To + 16, B);
        STORE16(To + 32, C);
        STORE16(To + 48, D);
        To += 64;
        From += 64;
    }
    STORE16(ToTail, T0);
    STORE16(ToTail + 16, T1);
    STORE16(ToTail + 32, T2);
    STORE16(ToTail + 48, T3);
}

/* More than 64 bytes, downward, for To inside [From, From + Bytes). The head is loaded first. */
static inline void RtlpCopyDownward(unsigned char *To, const unsigned char *From, size_t Bytes)
{
    __m128i H0 = LOAD16(From), H1 = LOAD16(From + 16), H2 = LOAD16(From + 32), H3 = LOAD16(From + 48);

    for (size_t Left = Bytes; Left > 64; Left -= 64) {
        const unsigned char *Source = From + Left - 64;
        unsigned char *Target = To + Left - 64;
        __m128i A = LOAD16(Source), B = LOAD16(Source + 16), C = LOAD16(Source + 32), D = LOAD16(Source + 48);
        STORE16(Target, A);
        STORE16(Target + 16, B);
        STORE16(Target + 32, C);
        STORE16(Target + 48, D);
    }
    STORE16(To, H0);
    STORE16(To + 16, H1);
    STORE16(To + 32, H2);
    STORE16(To + 48, H3);
}

static inline void *RtlpCopy(void *To, const void *From, size_t Bytes)
{
    if (Bytes <= 64) {
        RtlpCopyShort(To, From, Bytes);
    } else if ((UINT64)To - (UINT64)From < Bytes) {
        RtlpCopyDownward(To, From, Bytes);
    } else if (Bytes < RTLP_STRING_COPY || (UINT64)From - (UINT64)To < 64) {
        RtlpCopyUpward(To, From, Bytes);
    } else {
        void *Target = To;
        __asm__ volatile("rep movsb" : "+D"(Target), "+S"(From), "+c"(Bytes) : : "memory");
    }
    return To;
}

void *memmove(void *To, const void *From, size_t Bytes)
{
    return RtlpCopy(To, From, Bytes);
}

void *memcpy(void *__restrict__ To, const void *__restrict__ From, size_t Bytes)
{
    return RtlpCopy(To, From, Bytes);
}

void *memset(void *To, int Value, size_t Bytes)
{
    unsigned char *Target = To;
    UINT64 Word = (unsigned char)Value * 0x0101010101010101ull;

    if (Bytes >= RTLP_STRING_FILL) {
        void *Next = To;
        __asm__ volatile("rep stosb" : "+D"(Next), "+c"(Bytes) : "a"(Value) : "memory");
    } else if (Bytes >= 16) {
        __m128i Block = _mm_set1_epi64x((long long)Word);
        unsigned char *Tail = Target + Bytes - 16;
        for (; Target < Tail; Target += 16)
            STORE16(Target, Block);
        STORE16(Tail, Block);
    } else if (Bytes >= 8) {
        *(RTLP_ANY64 *)Target = Word;
        *(RTLP_ANY64 *)(Target + Bytes - 8) = Word;
    } else if (Bytes >= 4) {
        *(RTLP_ANY32 *)Target = (UINT32)Word;
        *(RTLP_ANY32 *)(Target + Bytes - 4) = (UINT32)Word;
    } else if (Bytes) {
        Target[0] = Target[Bytes >> 1] = Target[Bytes - 1] = (unsigned char)Value;
    }
    return To;
}

/* Number of leading bytes that are equal. */
static inline size_t RtlpEqualBytes(const unsigned char *Left, const unsigned char *Right, size_t Bytes)
{
    size_t Done = 0;

    for (; Bytes - Done >= 16; Done += 16) {
        unsigned Same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(LOAD16(Left + Done), LOAD16(Right + Done)));
        if (Same != 0xffff)
            return Done + (unsigned)__builtin_ctz(~Same);
    }
    while (Done < Bytes && Left[Done] == Right[Done])
        Done++;
    return Done;
}

int memcmp(const void *Left, const void *Right, size_t Bytes)
{
    const unsigned char *A = Left, *B = Right;
    size_t Same = RtlpEqualBytes(A, B, Bytes);

    if (Same == Bytes)
        return 0;
    return A[Same] < B[Same] ? -1 : 1;
}

void *memchr(const void *Block, int Value, size_t Bytes)
{
    const unsigned char *Byte = Block;

    for (; Bytes; Bytes--, Byte++)
        if (*Byte == (unsigned char)Value)
            return (void *)Byte;
    return NULL;
}

errno_t memcpy_s(void *To, rsize_t Room, const void *From, rsize_t Bytes)
{
    if (!Bytes)
        return 0;
    if (!To)
        return EINVAL;
    if (!From || Room < Bytes) {
        memset(To, 0, Room);
        return From ? ERANGE : EINVAL;
    }
    RtlpCopy(To, From, Bytes);
    return 0;
}

errno_t memmove_s(void *To, rsize_t Room, const void *From, rsize_t Bytes)
{
    if (!Bytes)
        return 0;
    if (!To || !From)
        return EINVAL;
    if (Room < Bytes)
        return ERANGE;
    RtlpCopy(To, From, Bytes);
    return 0;
}

/* ---- The Rtl forms --------------------------------------------------------------------------------------------- */

/* docs: RtlCompareMemory; the number of bytes that match before the first difference. */
SIZE_T NTAPI RtlCompareMemory(const VOID *Source1, const VOID *Source2, SIZE_T Length)
{
    return RtlpEqualBytes(Source1, Source2, Length);
}

/* docs: RtlCompareMemoryUlong; a length that is no multiple of four is rounded down. */
SIZE_T NTAPI RtlCompareMemoryUlong(PVOID Source, SIZE_T Length, ULONG Pattern)
{
    const RTLP_ANY32 *Word = Source;
    SIZE_T Same = 0;

    while (Length - Same >= sizeof(ULONG) && Word[Same / sizeof(ULONG)] == Pattern)
        Same += sizeof(ULONG);
    return Same;
}

VOID NTAPI RtlFillMemory(PVOID Destination, SIZE_T Length, UCHAR Fill)
{
    memset(Destination, Fill, Length);
}

/* docs: RtlFillMemoryUlong; a length that is no multiple of four is rounded down. */
VOID NTAPI RtlFillMemoryUlong(PVOID Destination, SIZE_T Length, ULONG Pattern)
{
    RTLP_ANY32 *Word = Destination;

    for (SIZE_T Count = Length / sizeof(ULONG); Count; Count--)
        *Word++ = Pattern;
}

VOID NTAPI RtlFillMemoryUlonglong(PVOID Destination, SIZE_T Length, ULONGLONG Pattern)
{
    RTLP_ANY64 *Word = Destination;

    for (SIZE_T Count = Length / sizeof(ULONGLONG); Count; Count--)
        *Word++ = Pattern;
}

VOID NTAPI RtlMoveMemory(PVOID Destination, const VOID *Source, SIZE_T Length)
{
    RtlpCopy(Destination, Source, Length);
}

VOID NTAPI RtlCopyMemory(PVOID Destination, const VOID *Source, SIZE_T Length)
{
    RtlpCopy(Destination, Source, Length);
}

/* The cache has no meaning for a driver's result here, so this is a plain copy. */
VOID NTAPI RtlCopyMemoryNonTemporal(VOID UNALIGNED *Destination, CONST VOID UNALIGNED *Source, SIZE_T Length)
{
    RtlpCopy((PVOID)Destination, (const VOID *)Source, Length);
}

VOID NTAPI RtlZeroMemory(PVOID Destination, SIZE_T Length)
{
    memset(Destination, 0, Length);
}

VOID FASTCALL RtlPrefetchMemoryNonTemporal(PVOID Source, SIZE_T Length)
{
    for (SIZE_T Offset = 0; Offset < Length; Offset += 64)
        _mm_prefetch((const char *)Source + Offset, _MM_HINT_NTA);
}
