/*
 * Random numbers from a seed of the caller, and a checksum.
 *
 * Nothing here has hidden state that would differ from run to run: the same seed gives the same numbers.
 * DIFFERS: RtlRandom and RtlRandomEx give other numbers than Windows does for the same seed; their documentation
 * promises a uniform distribution over 0 to MAXLONG - 1 and no particular sequence.
 */
#include "nt.h"

static ULONG RtlpNextRandom(PULONG Seed)
{
    /* 31-bit congruence modulo 2^31 - 1; what it gives lies in 1 to 2^31 - 2 */
    UINT64 State = *Seed % 0x7ffffffeu + 1;

    *Seed = (ULONG)(State * 48271 % 0x7fffffff);
    return *Seed - 1;
}

ULONG NTAPI RtlRandom(PULONG Seed)
{
    return RtlpNextRandom(Seed);
}

ULONG NTAPI RtlRandomEx(PULONG Seed)
{
    return RtlpNextRandom(Seed);
}

/* ---- Checksum -------------------------------------------------------------------------------------------------- */

/* The CRC of Ethernet and zip, one bit at a time: a table would cost more than it is worth here. */
ULONG NTAPI RtlComputeCrc32(ULONG PartialCrc, PVOID Buffer, ULONG Length)
{
    const UCHAR *Byte = Buffer;
    ULONG Crc = ~PartialCrc;

    while (Length--) {
        Crc ^= *Byte++;
        for (ULONG Bit = 0; Bit < 8; Bit++)
            Crc = Crc >> 1 ^ (Crc & 1 ? 0xedb88320 : 0);
    }
    return ~Crc;
}
