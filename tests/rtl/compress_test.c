/*
 * Compression: the examples of MS-XCA, round trips over many kinds of data, small buffers, damaged input.
 */
#include "test.h"

NTSTATUS NTAPI RtlGetCompressionWorkSpaceSize(USHORT, PULONG, PULONG);
NTSTATUS NTAPI RtlCompressBuffer(USHORT, PUCHAR, ULONG, PUCHAR, ULONG, ULONG, PULONG, PVOID);
NTSTATUS NTAPI RtlDecompressBuffer(USHORT, PUCHAR, ULONG, PUCHAR, ULONG, PULONG);
NTSTATUS NTAPI RtlDecompressBufferEx(USHORT, PUCHAR, ULONG, PUCHAR, ULONG, PULONG, PVOID);
NTSTATUS NTAPI RtlDecompressFragment(USHORT, PUCHAR, ULONG, PUCHAR, ULONG, ULONG, PULONG, PVOID);

enum { Lznt1 = 2, Xpress = 3, Huffman = 4, Size = 20000 };

static UCHAR Plain[Size], Packed[Size * 2 + 64], Back[Size], Work[0x10000];

static VOID Examples(VOID)
{
    static const char Song[] =
        "F# F# G A A G F# E D D E F# F# E E F# F# G A A G F# E D D E F# E D D E E F# D E F# G F# D E "
        "F# G F# E D E A F# F# G A A G F# E D D E F# E D D";
    static UCHAR SongPacked[] = {0x38, 0xb0, 0x88, 0x46, 0x23, 0x20, 0x00, 0x20, 0x47, 0x20, 0x41, 0x00,
                                 0x10, 0xa2, 0x47, 0x01, 0xa0, 0x45, 0x20, 0x44, 0x00, 0x08, 0x45, 0x01,
                                 0x50, 0x79, 0x00, 0xc0, 0x45, 0x20, 0x05, 0x24, 0x13, 0x88, 0x05, 0xb4,
                                 0x02, 0x4a, 0x44, 0xef, 0x03, 0x58, 0x02, 0x8c, 0x09, 0x16, 0x01, 0x48,
                                 0x45, 0x00, 0xbe, 0x00, 0x9e, 0x00, 0x04, 0x01, 0x18, 0x90, 0x00};
    static UCHAR Abc[] = {0xff, 0xff, 0xff, 0x1f, 0x61, 0x62, 0x63, 0x17, 0x00, 0x0f, 0xff, 0x26, 0x01};
    static UCHAR Letters[276];
    static const UCHAR Table[] = {0x50, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x55, 0x45, 0x44, 0x04};
    static const UCHAR Data[] = {0xd8, 0x52, 0x3e, 0xd7, 0x94, 0x11, 0x5b, 0xe9, 0x19, 0x5f,
                                 0xf9, 0xd6, 0x7c, 0xdf, 0x8d, 0x04, 0x00, 0x00, 0x00, 0x00};
    ULONG Final = 0;
    EQUAL(RtlDecompressBuffer(Lznt1, Back, sizeof(Back), SongPacked, sizeof(SongPacked), &Final), STATUS_SUCCESS);
    CHECK(Final == sizeof(Song) || Final == sizeof(Song) - 1);
    CHECK(!memcmp(Back, Song, sizeof(Song) - 1));
    EQUAL(RtlDecompressBuffer(Xpress, Back, 300, Abc, sizeof(Abc), &Final), STATUS_SUCCESS);
    CHECK(Final == 300 && Back[0] == 'a' && Back[299] == 'c' && Back[150] == 'a');
    for (ULONG i = 0; i < sizeof(Table); i++)
        Letters[48 + i] = Table[i];
    Letters[128] = 0x04;
    for (ULONG i = 0; i < sizeof(Data); i++)
        Letters[256 + i] = Data[i];
    EQUAL(RtlDecompressBufferEx(Huffman, Back, 26, Letters, sizeof(Letters), &Final, Work), STATUS_SUCCESS);
    CHECK(Final == 26 && !memcmp(Back, "abcdefghijklmnopqrstuvwxyz", 26));
}

static ULONG Random(VOID)
{
    static ULONG State = 12345;
    State ^= State << 13;
    State ^= State >> 17;
    return State ^= State << 5;
}

/* Text-like, noise, runs, by Kind. */
static VOID Fill(ULONG Kind, ULONG Bytes)
{
    for (ULONG i = 0; i < Bytes; i++)
        Plain[i] = Kind == 0   ? (UCHAR)Random()
                   : Kind == 1 ? (UCHAR)("the quick brown fox jumps "[(i + i / 700) % 26])
                   : Kind == 2 ? (UCHAR)(i / 777)
                               : (UCHAR)(Random() % 3);
}

static VOID RoundTrips(VOID)
{
    static const ULONG Sizes[] = {1, 2, 3, 4, 100, 4095, 4096, 4097, 8192, 12345, Size};
    for (ULONG Kind = 0; Kind < 4; Kind++)
        for (ULONG s = 0; s < ARRAYSIZE(Sizes); s++)
            for (USHORT Format = Lznt1; Format <= Xpress; Format++) {
                ULONG Packs = 0, Final = 0;
                Fill(Kind, Sizes[s]);
                Plain[Sizes[s] - 1] |= 1;
                EQUAL(RtlCompressBuffer(Format, Plain, Sizes[s], Packed, sizeof(Packed), 4096, &Packs, Work),
                      STATUS_SUCCESS);
                RtlZeroMemory(Back, sizeof(Back));
                EQUAL(RtlDecompressBuffer(Format, Back, Sizes[s], Packed, Packs, &Final), STATUS_SUCCESS);
                EQUAL(Final, Sizes[s]);
                CHECK(!memcmp(Back, Plain, Sizes[s]));
                if (Kind == 1 && Sizes[s] > 4000)
                    CHECK(Packs < Sizes[s] / 4);
                /* one byte too few is seen, and nothing is written behind */
                Packed[Packs - 1] = 0x5a;
                EQUAL(RtlCompressBuffer(Format, Plain, Sizes[s], Packed, Packs - 1, 4096, &Final, Work),
                      STATUS_BUFFER_TOO_SMALL);
                EQUAL(Packed[Packs - 1], 0x5a);
            }
}

static VOID Fragments(VOID)
{
    ULONG Packs = 0, Final = 0;
    Fill(1, Size);
    EQUAL(RtlCompressBuffer(Lznt1 | 0x100, Plain, Size, Packed, sizeof(Packed), 4096, &Packs, Work), STATUS_SUCCESS);
    EQUAL(RtlDecompressFragment(Lznt1, Back, 6000, Packed, Packs, 5000, &Final, Work), STATUS_SUCCESS);
    CHECK(Final == 6000 && !memcmp(Back, Plain + 5000, 6000));
    EQUAL(RtlDecompressFragment(Lznt1, Back, 6000, Packed, Packs, Size - 10, &Final, Work), STATUS_SUCCESS);
    CHECK(Final == 10 && !memcmp(Back, Plain + Size - 10, 10));
}

static VOID BadArguments(VOID)
{
    ULONG One, Two;
    UCHAR Zeros[64] = {0};
    EQUAL(RtlGetCompressionWorkSpaceSize(0, &One, &Two), STATUS_INVALID_PARAMETER);
    EQUAL(RtlGetCompressionWorkSpaceSize(1, &One, &Two), STATUS_INVALID_PARAMETER);
    EQUAL(RtlGetCompressionWorkSpaceSize(9, &One, &Two), STATUS_UNSUPPORTED_COMPRESSION);
    EQUAL(RtlGetCompressionWorkSpaceSize(Lznt1 | 0x700, &One, &Two), STATUS_NOT_SUPPORTED);
    EQUAL(RtlGetCompressionWorkSpaceSize(Lznt1, &One, &Two), STATUS_SUCCESS);
    CHECK(One && Two && One <= sizeof(Work));
    EQUAL(RtlCompressBuffer(Lznt1, Zeros, sizeof(Zeros), Packed, sizeof(Packed), 4096, &One, Work),
          STATUS_BUFFER_ALL_ZEROS);
}

/* Bits turned over: whatever comes out, it is within the buffer. */
static VOID Damaged(VOID)
{
    for (USHORT Format = Lznt1; Format <= Huffman; Format++)
        for (ULONG Round = 0; Round < 3000; Round++) {
            ULONG Packs = 0, Final = 0, Room = 1 + Random() % 9000;
            if (Format == Huffman || Round % 3 == 0) {
                Packs = Random() % 600;
                for (ULONG i = 0; i < Packs; i++)
                    Packed[i] = (UCHAR)Random();
                if (Format == Huffman) /* a code that is one: two symbols of one bit */
                    for (ULONG i = 0; i < 256 && Round % 2; i++)
                        Packed[i] = i == Random() % 128 ? 1 : 0;
            } else {
                Fill(Round % 4, 5000);
                RtlCompressBuffer(Format, Plain, 5000, Packed, sizeof(Packed), 4096, &Packs, Work);
                for (ULONG i = 0; i < 4; i++)
                    Packed[Random() % Packs] ^= (UCHAR)(1 << Random() % 8);
            }
            Back[Room] = 0x77;
            NTSTATUS Status = RtlDecompressBufferEx(Format, Back, Room, Packed, Packs, &Final, Work);
            CHECK(Status == STATUS_SUCCESS ? Final <= Room : Status == STATUS_BAD_COMPRESSION_BUFFER);
            EQUAL(Back[Room], 0x77);
        }
}

const RTL_TEST CompressTests[] = {
    {"the_examples_of_the_specification_are_read", Examples}, {"what_is_compressed_comes_back", RoundTrips},
    {"a_fragment_is_read_from_the_middle", Fragments},        {"unknown_formats_are_refused", BadArguments},
    {"damaged_data_stay_in_their_buffer", Damaged},           {0},
};
