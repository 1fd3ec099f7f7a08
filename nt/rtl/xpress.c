/*
 * XPRESS: Plain LZ77 (MS-XCA 2.3, 2.4), and decompression of LZ77+Huffman (MS-XCA 2.2).
 */
#include "nt.h"
#include "rtl/compress.h"

#define RTLP_WINDOW 8192
#define RTLP_LEAST 3

typedef struct _RTLP_INPUT {
    const UCHAR *Next, *End;
} RTLP_INPUT, *PRTLP_INPUT;

static BOOLEAN RtlpTake(PRTLP_INPUT Input, ULONG Bytes, PULONG Value)
{
    if ((ULONG_PTR)(Input->End - Input->Next) < Bytes)
        return FALSE;
    *Value = 0;
    for (ULONG i = 0; i < Bytes; i++)
        *Value |= (ULONG)Input->Next[i] << 8 * i;
    Input->Next += Bytes;
    return TRUE;
}

/* ---- Plain LZ77 ----------------------------------------------------------------------------------------------------
 */

/* The length behind a pair whose three bits were all set. Half a byte serves two such lengths. */
static BOOLEAN RtlpLongLength(PRTLP_INPUT Input, const UCHAR **HalfByte, PULONG Length)
{
    ULONG Value;
    if (!*HalfByte) {
        *HalfByte = Input->Next;
        if (!RtlpTake(Input, 1, &Value))
            return FALSE;
        Value &= 15;
    } else {
        Value = **HalfByte >> 4;
        *HalfByte = NULL;
    }
    if (Value == 15) {
        if (!RtlpTake(Input, 1, &Value))
            return FALSE;
        if (Value == 255) {
            if (!RtlpTake(Input, 2, &Value) || (!Value && !RtlpTake(Input, 4, &Value)) || Value < 15 + 7)
                return FALSE;
            Value -= 15 + 7;
        }
        Value += 15;
    }
    *Length = Value + 7 + RTLP_LEAST;
    return *Length >= Value;
}

NTSTATUS RtlpXpressDecompress(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Final)
{
    RTLP_INPUT Input = {From, From + Bytes};
    const UCHAR *HalfByte = NULL;
    ULONG Out = 0, Flags = 0, Left = 0, Value;
    while (Out < Room) {
        if (!Left) {
            if (!RtlpTake(&Input, 4, &Flags))
                return Input.Next == Input.End && Out ? (*Final = Out, STATUS_SUCCESS) : STATUS_BAD_COMPRESSION_BUFFER;
            Left = 32;
        }
        Left--;
        if (!(Flags >> Left & 1)) {
            if (!RtlpTake(&Input, 1, &Value))
                return STATUS_BAD_COMPRESSION_BUFFER;
            To[Out++] = (UCHAR)Value;
            continue;
        }
        if (Input.Next == Input.End)
            break;
        if (!RtlpTake(&Input, 2, &Value))
            return STATUS_BAD_COMPRESSION_BUFFER;
        ULONG Distance = (Value >> 3) + 1, Length = (Value & 7) + RTLP_LEAST;
        if ((Value & 7) == 7 && !RtlpLongLength(&Input, &HalfByte, &Length))
            return STATUS_BAD_COMPRESSION_BUFFER;
        if (Distance > Out)
            return STATUS_BAD_COMPRESSION_BUFFER;
        for (; Length && Out < Room; Length--, Out++)
            To[Out] = To[Out - Distance];
    }
    *Final = Out;
    return STATUS_SUCCESS;
}

/* What is being written: the flags of the last 32 items have a place of their own. */
typedef struct _RTLP_OUTPUT {
    PUCHAR To;
    ULONG Out, Room, FlagsAt, Flags, Left;
    ULONG HalfAt; /* where half a byte is free; 0 = nowhere */
} RTLP_OUTPUT, *PRTLP_OUTPUT;

static BOOLEAN RtlpGive(PRTLP_OUTPUT Output, ULONG Value, ULONG Bytes)
{
    if (Output->Room - Output->Out < Bytes)
        return FALSE;
    for (ULONG i = 0; i < Bytes; i++)
        Output->To[Output->Out++] = (UCHAR)(Value >> 8 * i);
    return TRUE;
}

static VOID RtlpPutFlags(PRTLP_OUTPUT Output)
{
    for (ULONG i = 0; i < 4; i++)
        Output->To[Output->FlagsAt + i] = (UCHAR)(Output->Flags >> 8 * i);
}

/* An item of this kind follows. */
static BOOLEAN RtlpGiveFlag(PRTLP_OUTPUT Output, ULONG Flag)
{
    if (!Output->Left) {
        if (Output->FlagsAt != MAXULONG)
            RtlpPutFlags(Output);
        Output->FlagsAt = Output->Out;
        Output->Left = 32;
        Output->Flags = 0;
        if (!RtlpGive(Output, 0, 4))
            return FALSE;
    }
    Output->Left--;
    Output->Flags |= Flag << Output->Left;
    return TRUE;
}

static BOOLEAN RtlpGiveMatch(PRTLP_OUTPUT Output, ULONG Distance, ULONG Length)
{
    ULONG More = Length - RTLP_LEAST;
    if (!RtlpGiveFlag(Output, 1) || !RtlpGive(Output, (Distance - 1) << 3 | min(More, 7), 2))
        return FALSE;
    if (More < 7)
        return TRUE;
    More -= 7;
    if (Output->HalfAt) {
        Output->To[Output->HalfAt] |= (UCHAR)(min(More, 15) << 4);
        Output->HalfAt = 0;
    } else {
        Output->HalfAt = Output->Out;
        if (!RtlpGive(Output, min(More, 15), 1))
            return FALSE;
    }
    if (More < 15)
        return TRUE;
    More -= 15;
    if (More < 255)
        return RtlpGive(Output, More, 1);
    More += 15 + 7;
    if (!RtlpGive(Output, 255, 1))
        return FALSE;
    return More <= 0xffff ? RtlpGive(Output, More, 2) : RtlpGive(Output, 0, 2) && RtlpGive(Output, More, 4);
}

#define RTLP_HASHES 4096
C_ASSERT(RTLP_HASHES * sizeof(ULONG) <= RTLP_XPRESS_WORK);

static ULONG RtlpHash(const UCHAR *Byte)
{
    return ((Byte[0] | Byte[1] << 8 | Byte[2] << 16) * 2654435761u) >> 20;
}

/* Work: for each hash the last place (from 1) of three bytes that have it. */
NTSTATUS RtlpXpressCompress(const UCHAR *From, ULONG Bytes, PUCHAR To, ULONG Room, PULONG Final, PVOID Work)
{
    RTLP_OUTPUT Output = {.To = To, .Room = Room, .FlagsAt = MAXULONG};
    PULONG Place = Work;
    BOOLEAN Good = TRUE;
    RtlZeroMemory(Place, RTLP_HASHES * sizeof(ULONG));
    for (ULONG At = 0; At < Bytes && Good;) {
        ULONG Length = 0, Distance = 0;
        if (At + RTLP_LEAST <= Bytes) {
            ULONG Hash = RtlpHash(From + At), Before = Place[Hash];
            Place[Hash] = At + 1;
            Distance = At + 1 - Before;
            while (Before && Distance <= RTLP_WINDOW && At + Length < Bytes &&
                   From[Before - 1 + Length] == From[At + Length])
                Length++;
        }
        if (Length >= RTLP_LEAST) {
            Good = RtlpGiveMatch(&Output, Distance, Length);
            for (ULONG i = 1; i < min(Length, 64) && At + i + RTLP_LEAST <= Bytes; i++)
                Place[RtlpHash(From + At + i)] = At + i + 1;
            At += Length;
        } else {
            Good = RtlpGiveFlag(&Output, 0) && RtlpGive(&Output, From[At++], 1);
        }
    }
    /* the flags that are left say "match", of which there is none: the end */
    Good = Good && RtlpGiveFlag(&Output, 1);
    if (!Good)
        return STATUS_BUFFER_TOO_SMALL;
    Output.Flags |= (1u << Output.Left) - 1;
    RtlpPutFlags(&Output);
    *Final = Output.Out;
    return STATUS_SUCCESS;
}

/* ---- LZ77+Huffman ---------------------------------------------------------------------------------------------------
 */

#define RTLP_SYMBOLS 512
#define RTLP_CODE_BITS 15
#define RTLP_BLOCK 65536

/* Work: for each beginning of 15 bits the symbol, and its length in the upper bits of the same word. */
typedef struct _RTLP_CODE {
    USHORT Symbol[1 << RTLP_CODE_BITS];
} RTLP_CODE, *PRTLP_CODE;
C_ASSERT(sizeof(RTLP_CODE) <= RTLP_HUFFMAN_WORK);

static BOOLEAN RtlpReadCode(PRTLP_INPUT Input, PRTLP_CODE Code)
{
    UCHAR Length[RTLP_SYMBOLS];
    ULONG At = 0;
    if (Input->End - Input->Next < RTLP_SYMBOLS / 2)
        return FALSE;
    for (ULONG i = 0; i < RTLP_SYMBOLS; i++)
        Length[i] = Input->Next[i / 2] >> (i % 2 ? 4 : 0) & 15;
    Input->Next += RTLP_SYMBOLS / 2;
    for (ULONG Bits = 1; Bits <= RTLP_CODE_BITS; Bits++)
        for (ULONG Symbol = 0; Symbol < RTLP_SYMBOLS; Symbol++) {
            if (Length[Symbol] != Bits)
                continue;
            ULONG Count = 1u << (RTLP_CODE_BITS - Bits);
            if (At + Count > 1u << RTLP_CODE_BITS)
                return FALSE;
            for (ULONG i = 0; i < Count; i++)
                Code->Symbol[At++] = (USHORT)(Symbol | (Bits - 1) << 9); /* 9 bits of symbol, 4 of length */
        }
    return At == 1u << RTLP_CODE_BITS;
}

/* Bits come in 16-bit words, the highest first; lengths lie between the words as bytes. */
typedef struct _RTLP_BITS {
    RTLP_INPUT Input;
    ULONG Next;
    LONG Extra;
} RTLP_BITS, *PRTLP_BITS;

static VOID RtlpRefill(PRTLP_BITS Bits)
{
    ULONG Word = 0;
    if (Bits->Extra >= 0)
        return;
    RtlpTake(&Bits->Input, 2, &Word); /* behind the end: zeros */
    Bits->Next |= Word << -Bits->Extra;
    Bits->Extra += 16;
}

static VOID RtlpSkipBits(PRTLP_BITS Bits, ULONG Count)
{
    Bits->Next <<= Count;
    Bits->Extra -= (LONG)Count;
    RtlpRefill(Bits);
}

static BOOLEAN RtlpStartBits(PRTLP_BITS Bits)
{
    ULONG High, Low;
    if (!RtlpTake(&Bits->Input, 2, &High) || !RtlpTake(&Bits->Input, 2, &Low))
        return FALSE;
    Bits->Next = High << 16 | Low;
    Bits->Extra = 16;
    return TRUE;
}

static BOOLEAN RtlpHuffmanLength(PRTLP_BITS Bits, PULONG Length)
{
    ULONG Value = *Length;
    if (Value == 15) {
        if (!RtlpTake(&Bits->Input, 1, &Value))
            return FALSE;
        if (Value == 255) {
            if (!RtlpTake(&Bits->Input, 2, &Value) || (!Value && !RtlpTake(&Bits->Input, 4, &Value)) || Value < 15)
                return FALSE;
        } else
            Value += 15;
    }
    *Length = Value + RTLP_LEAST;
    return *Length >= Value;
}

/* One block: up to 64 KiB of data behind a code of its own. *Done: the end was met. */
static BOOLEAN RtlpHuffmanBlock(PRTLP_BITS Bits, PRTLP_CODE Code, PUCHAR To, ULONG Room, PULONG At, BOOLEAN *Done)
{
    ULONG Out = *At, End = Out + min(Room - Out, RTLP_BLOCK);
    if (!RtlpReadCode(&Bits->Input, Code) || !RtlpStartBits(Bits))
        return FALSE;
    while (Out < End) {
        ULONG Entry = Code->Symbol[Bits->Next >> (32 - RTLP_CODE_BITS)], Symbol = Entry & 511;
        RtlpSkipBits(Bits, (Entry >> 9) + 1);
        if (Symbol < 256) {
            To[Out++] = (UCHAR)Symbol;
            continue;
        }
        if (Symbol == 256 && Bits->Input.Next == Bits->Input.End) {
            *Done = TRUE;
            break;
        }
        ULONG Length = Symbol & 15, DistanceBits = (Symbol - 256) >> 4;
        if (!RtlpHuffmanLength(Bits, &Length))
            return FALSE;
        ULONG Distance = (1u << DistanceBits) + (DistanceBits ? Bits->Next >> (32 - DistanceBits) : 0);
        RtlpSkipBits(Bits, DistanceBits);
        if (Distance > Out)
            return FALSE;
        for (; Length && Out < Room; Length--, Out++)
            To[Out] = To[Out - Distance];
    }
    *At = Out;
    return TRUE;
}

NTSTATUS RtlpHuffmanDecompress(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Final, PVOID Work)
{
    RTLP_BITS Bits = {.Input = {From, From + Bytes}};
    ULONG Out = 0;
    BOOLEAN Done = FALSE;
    while (Out < Room && !Done && Bits.Input.Next != Bits.Input.End)
        if (!RtlpHuffmanBlock(&Bits, Work, To, Room, &Out, &Done))
            return STATUS_BAD_COMPRESSION_BUFFER;
    *Final = Out;
    return STATUS_SUCCESS;
}
