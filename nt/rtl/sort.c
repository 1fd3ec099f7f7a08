/*
 * Sorting, searching and the small random numbers of the C runtime.
 *
 * qsort is a heap sort: no recursion and no memory on a 24 KiB stack, never worse than n log n, and the same result on
 * every run. Equal elements may change their order, as with any qsort.
 */
#include "nt.h"

typedef int(__cdecl *RTLP_COMPARE)(void *Context, const void *Left, const void *Right);

typedef struct _RTLP_ARRAY {
    PUCHAR First;
    SIZE_T Bytes; /* of one element */
    RTLP_COMPARE Compare;
    PVOID Context;
} RTLP_ARRAY;

static VOID RtlpSwap(const RTLP_ARRAY *Array, SIZE_T Left, SIZE_T Right)
{
    PUCHAR A = Array->First + Left * Array->Bytes, B = Array->First + Right * Array->Bytes;

    for (SIZE_T i = 0; i < Array->Bytes; i++) {
        UCHAR Byte = A[i];
        A[i] = B[i];
        B[i] = Byte;
    }
}

static int RtlpCompareAt(const RTLP_ARRAY *Array, SIZE_T Left, SIZE_T Right)
{
    return Array->Compare(Array->Context, Array->First + Left * Array->Bytes, Array->First + Right * Array->Bytes);
}

/* Let the element at Root sink until no child is larger. */
static VOID RtlpSink(const RTLP_ARRAY *Array, SIZE_T Root, SIZE_T Count)
{
    for (SIZE_T Child; (Child = 2 * Root + 1) < Count; Root = Child) {
        if (Child + 1 < Count && RtlpCompareAt(Array, Child, Child + 1) < 0)
            Child++;
        if (RtlpCompareAt(Array, Root, Child) >= 0)
            return;
        RtlpSwap(Array, Root, Child);
    }
}

void qsort_s(void *Base, size_t Count, size_t Bytes, RTLP_COMPARE Compare, void *Context)
{
    RTLP_ARRAY Array = {Base, Bytes, Compare, Context};

    for (SIZE_T Root = Count / 2; Root--;)
        RtlpSink(&Array, Root, Count);
    while (Count > 1) {
        RtlpSwap(&Array, 0, --Count);
        RtlpSink(&Array, 0, Count);
    }
}

void *bsearch_s(const void *Key, const void *Base, size_t Count, size_t Bytes, RTLP_COMPARE Compare, void *Context)
{
    const UCHAR *Low = Base;

    while (Count) {
        const UCHAR *Middle = Low + Count / 2 * Bytes;
        int Order = Compare(Context, Key, Middle);
        if (!Order)
            return (void *)Middle;
        if (Order > 0) {
            Low = Middle + Bytes;
            Count--;
        }
        Count /= 2;
    }
    return NULL;
}

/* The forms without a context carry their comparison routine in it. */
typedef int(__cdecl *RTLP_PLAIN_COMPARE)(const void *Left, const void *Right);

static int RtlpPlainCompare(void *Context, const void *Left, const void *Right)
{
    return (*(RTLP_PLAIN_COMPARE *)Context)(Left, Right);
}

void qsort(void *Base, size_t Count, size_t Bytes, RTLP_PLAIN_COMPARE Compare)
{
    qsort_s(Base, Count, Bytes, RtlpPlainCompare, &Compare);
}

void *bsearch(const void *Key, const void *Base, size_t Count, size_t Bytes, RTLP_PLAIN_COMPARE Compare)
{
    return bsearch_s(Key, Base, Count, Bytes, RtlpPlainCompare, &Compare);
}

/* ---- Random numbers -------------------------------------------------------------------------------------------- */

static ULONG RtlpRandState = 1;

void srand(unsigned int Seed)
{
    RtlpRandState = Seed;
}

/* 15 bits, from the upper half of a linear congruence, as the documented RAND_MAX has it. */
int rand(void)
{
    RtlpRandState = RtlpRandState * 214013u + 2531011u;
    return (int)(RtlpRandState >> 16 & 0x7fff);
}
