/*
 * Figures: what the hot routines cost here. Printed, never judged.
 */
#include "test.h"

static UCHAR From[1 << 16], To[1 << 16];

static __attribute__((noinline)) VOID WalkFrom(ULONG Frames)
{
    UINT64 Walked[64];
    CONTEXT Context;
    CHAR Name[48];

    KiCaptureFrame(&Context);
    RtlpFormat(Name, sizeof(Name), "RtlpWalkStack, %u frames", Frames);
    FIGURE(Name, 20000, RtlpWalkStack(&Context, Walked, Frames));
}

/* A stack of Depth frames, walked at its end. */
static __attribute__((noinline)) ULONG WalkAtDepth(ULONG Depth, ULONG Frames)
{
    volatile ULONG Keep = Depth;

    if (Depth)
        return WalkAtDepth(Depth - 1, Frames) + Keep;
    WalkFrom(Frames);
    return Keep;
}

static __attribute__((noinline)) VOID RaiseAndCatch(VOID)
{
    __try {
        ExRaiseStatus(STATUS_UNSUCCESSFUL);
    } __except (1) {
    }
}

VOID TestFigures(VOID)
{
    static volatile ULONG Bytes;

    for (ULONG i = 0; i < 6; i++) {
        static const ULONG Sizes[] = {8, 40, 200, 1500, 4096, 65536};
        CHAR Name[32];
        Bytes = Sizes[i];
        RtlpFormat(Name, sizeof(Name), "memcpy %u", Bytes);
        FIGURE(Name, 20000, memcpy(To, From, Bytes));
        RtlpFormat(Name, sizeof(Name), "memset %u", Bytes);
        FIGURE(Name, 20000, memset(To, 0, Bytes));
    }
    FIGURE("RtlpFormat \"%s: %u, %p\"", 20000,
           RtlpFormat((PCHAR)To, 256, "%s: %u, %p", "some text", 12345, (PVOID)0x1a0000001000));
    WalkAtDepth(30, 4);
    WalkAtDepth(30, 12);
    FIGURE("ExRaiseStatus to __except", 5000, RaiseAndCatch());
}
