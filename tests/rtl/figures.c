/*
 * Figures: what the hot routines cost here. Printed, never judged.
 */
#include "test.h"

static UCHAR From[1 << 16], To[1 << 16];

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
}
