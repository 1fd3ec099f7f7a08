/*
 * LZNT1 (MS-XCA 2.5): chunks of 4096 bytes, each after a header of its own; in a chunk, flag bytes tell literals from
 * 16-bit pairs of distance and length, whose bits are shared out by the position in the chunk.
 */
#include "nt.h"
#include "rtl/compress.h"

#define RTLP_LEAST 3 /* bytes a match has */

/* How many of the 16 bits are the length's at Position: as many as the distance does not need. */
static ULONG RtlpLengthBits(ULONG Position)
{
    ULONG Bits = 12;
    while (Bits > 4 && (1u << (16 - Bits)) < Position)
        Bits--;
    return Bits;
}

/* ---- Decompressing -------------------------------------------------------------------------------------------------
 */

/* One chunk's body of Bytes into To; as much as there is room for. The bytes made. FALSE: damaged. */
static BOOLEAN RtlpReadChunk(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Made)
{
    ULONG In = 0, Out = 0;
    while (In < Bytes) {
        ULONG Flags = From[In++];
        for (ULONG Bit = 0; Bit < 8 && In < Bytes; Bit++, Flags >>= 1) {
            if (Out >= Room)
                break;
            if (!(Flags & 1)) {
                To[Out++] = From[In++];
                continue;
            }
            if (In + 2 > Bytes || !Out)
                return FALSE;
            ULONG Pair = From[In] | From[In + 1] << 8, Bits = RtlpLengthBits(Out);
            ULONG Length = (Pair & ((1u << Bits) - 1)) + RTLP_LEAST, Distance = (Pair >> Bits) + 1;
            In += 2;
            if (Distance > Out || Length > RTLP_CHUNK - Out)
                return FALSE;
            for (; Length && Out < Room; Length--, Out++)
                To[Out] = To[Out - Distance];
        }
        if (Out >= Room)
            break;
    }
    *Made = Out;
    return TRUE;
}

/* The chunk at From: its whole size with the header in *Size, 0 at the end of all. FALSE: damaged. */
static BOOLEAN RtlpChunkAt(const UCHAR *From, ULONG Bytes, PULONG Size, BOOLEAN *Packed)
{
    *Size = 0;
    if (Bytes < 2)
        return TRUE;
    ULONG Header = From[0] | From[1] << 8;
    if (!Header)
        return TRUE;
    if ((Header >> 12 & 7) != 3)
        return FALSE;
    *Size = (Header & 0xfff) + 3;
    *Packed = (Header & 0x8000) != 0;
    return *Size <= Bytes;
}

static BOOLEAN RtlpOpenChunk(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Size, BOOLEAN Packed, PULONG Made)
{
    if (Packed)
        return RtlpReadChunk(To, min(Room, RTLP_CHUNK), From + 2, Size - 2, Made);
    *Made = min(min(Size - 2, Room), RTLP_CHUNK);
    RtlCopyMemory(To, From + 2, *Made);
    return TRUE;
}

NTSTATUS RtlpLznt1Decompress(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Final)
{
    ULONG Out = 0, Size, Made;
    BOOLEAN Packed;
    while (Out < Room) {
        if (!RtlpChunkAt(From, Bytes, &Size, &Packed))
            return STATUS_BAD_COMPRESSION_BUFFER;
        if (!Size)
            break;
        if (!RtlpOpenChunk(To + Out, Room - Out, From, Size, Packed, &Made))
            return STATUS_BAD_COMPRESSION_BUFFER;
        From += Size;
        Bytes -= Size;
        /* a short chunk stands for a whole one, if another follows */
        if (Made < RTLP_CHUNK && Bytes >= 2 && (From[0] | From[1])) {
            ULONG Whole = min(RTLP_CHUNK, Room - Out);
            RtlZeroMemory(To + Out + Made, Whole > Made ? Whole - Made : 0);
            Made = max(Made, Whole);
        }
        Out += Made;
    }
    *Final = Out;
    return STATUS_SUCCESS;
}

NTSTATUS RtlpLznt1Fragment(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, ULONG Offset, PULONG Final,
                           PUCHAR Chunk)
{
    ULONG Out = 0, Size, Made, Start = 0;
    BOOLEAN Packed;
    while (Out < Room) {
        if (!RtlpChunkAt(From, Bytes, &Size, &Packed))
            return STATUS_BAD_COMPRESSION_BUFFER;
        if (!Size)
            break;
        if (Start + RTLP_CHUNK > Offset) {
            if (!RtlpOpenChunk(Chunk, RTLP_CHUNK, From, Size, Packed, &Made))
                return STATUS_BAD_COMPRESSION_BUFFER;
            ULONG Skip = Offset > Start ? Offset - Start : 0, Part = Made > Skip ? min(Made - Skip, Room - Out) : 0;
            RtlCopyMemory(To + Out, Chunk + Skip, Part);
            Out += Part;
        }
        From += Size;
        Bytes -= Size;
        Start += RTLP_CHUNK;
    }
    *Final = Out;
    return STATUS_SUCCESS;
}

/* ---- Compressing ---------------------------------------------------------------------------------------------------
 */

/* Places of three-byte beginnings by their hash, the latest first; places are counted from 1. */
typedef struct _RTLP_FINDER {
    USHORT Head[4096], Before[RTLP_CHUNK];
} RTLP_FINDER, *PRTLP_FINDER;
C_ASSERT(sizeof(RTLP_FINDER) <= RTLP_LZNT1_WORK);

static ULONG RtlpHash(const UCHAR *Byte)
{
    return ((Byte[0] | Byte[1] << 8 | Byte[2] << 16) * 2654435761u) >> 20;
}

static VOID RtlpEnterPlace(PRTLP_FINDER Finder, const UCHAR *Chunk, ULONG Bytes, ULONG At)
{
    if (At + RTLP_LEAST > Bytes)
        return;
    ULONG Hash = RtlpHash(Chunk + At);
    Finder->Before[At] = Finder->Head[Hash];
    Finder->Head[Hash] = (USHORT)(At + 1);
}

static ULONG RtlpLongest(PRTLP_FINDER Finder, const UCHAR *Chunk, ULONG Bytes, ULONG At, ULONG Tries, PULONG Distance)
{
    ULONG Most = min(Bytes - At, (1u << RtlpLengthBits(At)) - 1 + RTLP_LEAST), Best = 0;
    if (At + RTLP_LEAST > Bytes)
        return 0;
    for (ULONG Place = Finder->Head[RtlpHash(Chunk + At)]; Place && Tries; Place = Finder->Before[Place - 1], Tries--) {
        ULONG Length = 0;
        while (Length < Most && Chunk[Place - 1 + Length] == Chunk[At + Length])
            Length++;
        if (Length > Best) {
            Best = Length;
            *Distance = At - (Place - 1);
        }
    }
    return Best;
}

/* The chunk's body in at most Room bytes; 0 when it does not become smaller than that. */
static ULONG RtlpPackChunk(PRTLP_FINDER Finder, const UCHAR *Chunk, ULONG Bytes, PUCHAR To, ULONG Room, ULONG Tries)
{
    ULONG At = 0, Out = 0, FlagsAt = 0, Bit = 8;
    RtlZeroMemory(Finder->Head, sizeof(Finder->Head));
    while (At < Bytes) {
        ULONG Distance = 0;
        if (Bit == 8) {
            if (Out >= Room)
                return 0;
            FlagsAt = Out++;
            To[FlagsAt] = 0;
            Bit = 0;
        }
        ULONG Length = At ? RtlpLongest(Finder, Chunk, Bytes, At, Tries, &Distance) : 0;
        if (Length >= RTLP_LEAST) {
            ULONG Bits = RtlpLengthBits(At), Pair = (Distance - 1) << Bits | (Length - RTLP_LEAST);
            if (Out + 2 > Room)
                return 0;
            To[FlagsAt] |= (UCHAR)(1 << Bit);
            To[Out++] = (UCHAR)Pair;
            To[Out++] = (UCHAR)(Pair >> 8);
        } else {
            if (Out >= Room)
                return 0;
            Length = 1;
            To[Out++] = Chunk[At];
        }
        Bit++;
        for (; Length; Length--, At++)
            RtlpEnterPlace(Finder, Chunk, Bytes, At);
    }
    return Out;
}

NTSTATUS RtlpLznt1Compress(const UCHAR *From, ULONG Bytes, PUCHAR To, ULONG Room, PULONG Final, PVOID Work,
                           BOOLEAN Thorough)
{
    ULONG Out = 0;
    BOOLEAN Zeros = TRUE;
    for (ULONG At = 0; At < Bytes; At += RTLP_CHUNK) {
        ULONG Part = min(RTLP_CHUNK, Bytes - At), Left = Room - Out, Header = 0xb000;
        for (ULONG i = 0; i < Part && Zeros; i++)
            Zeros = !From[At + i];
        if (Left < 3)
            return STATUS_BUFFER_TOO_SMALL;
        ULONG Size = RtlpPackChunk(Work, From + At, Part, To + Out + 2, min(Part - 1, Left - 2), Thorough ? 256 : 16);
        if (!Size) {
            if (Left < Part + 2)
                return STATUS_BUFFER_TOO_SMALL;
            RtlCopyMemory(To + Out + 2, From + At, Part);
            Size = Part;
            Header = 0x3000;
        }
        Header |= Size - 1;
        To[Out] = (UCHAR)Header;
        To[Out + 1] = (UCHAR)(Header >> 8);
        Out += Size + 2;
    }
    if (Out + 2 <= Room) /* what ends it, when there is room; it does not count */
        To[Out] = To[Out + 1] = 0;
    *Final = Out;
    return Zeros ? STATUS_BUFFER_ALL_ZEROS : STATUS_SUCCESS;
}
