/*
 * Compression by format (docs: RtlGetCompressionWorkSpaceSize, RtlCompressBuffer, RtlDecompressBuffer,
 * RtlDecompressBufferEx, RtlDecompressBufferEx2, RtlDecompressFragment, RtlDecompressFragmentEx).
 *
 * DIFFERS: data are compressed to other bytes than Windows' (any decompressor reads them); XPRESS with Huffman codes is
 * decompressed only.
 */
#include "nt.h"
#include "rtl/compress.h"

#ifndef COMPRESSION_FORMAT_XPRESS
#define COMPRESSION_FORMAT_XPRESS 3
#define COMPRESSION_FORMAT_XPRESS_HUFF 4
#endif

/* What every routine says of a format before it looks at anything else. */
static NTSTATUS RtlpKnowFormat(ULONG FormatAndEngine)
{
    ULONG Format = FormatAndEngine & 0xff, Engine = FormatAndEngine & 0xff00;
    if (Format == COMPRESSION_FORMAT_NONE || Format == COMPRESSION_FORMAT_DEFAULT)
        return STATUS_INVALID_PARAMETER;
    if (Format > COMPRESSION_FORMAT_XPRESS_HUFF)
        return STATUS_UNSUPPORTED_COMPRESSION;
    return Engine == COMPRESSION_ENGINE_STANDARD || Engine == COMPRESSION_ENGINE_MAXIMUM ? STATUS_SUCCESS
                                                                                         : STATUS_NOT_SUPPORTED;
}

NTSTATUS NTAPI RtlGetCompressionWorkSpaceSize(USHORT FormatAndEngine, PULONG Buffer, PULONG Fragment)
{
    NTSTATUS Status = RtlpKnowFormat(FormatAndEngine);
    if (!NT_SUCCESS(Status))
        return Status;
    switch (FormatAndEngine & 0xff) {
    case COMPRESSION_FORMAT_LZNT1:
        *Buffer = RTLP_LZNT1_WORK;
        *Fragment = RTLP_LZNT1_FRAGMENT;
        break;
    case COMPRESSION_FORMAT_XPRESS:
        *Buffer = RTLP_XPRESS_WORK;
        *Fragment = 0;
        break;
    default:
        *Buffer = RTLP_HUFFMAN_WORK;
        *Fragment = RTLP_HUFFMAN_WORK;
    }
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCompressBuffer(USHORT FormatAndEngine, PUCHAR From, ULONG Bytes, PUCHAR To, ULONG Room,
                                 ULONG ChunkSize, PULONG Final, PVOID WorkSpace)
{
    NTSTATUS Status = RtlpKnowFormat(FormatAndEngine);
    if (!NT_SUCCESS(Status))
        return Status;
    switch (FormatAndEngine & 0xff) {
    case COMPRESSION_FORMAT_LZNT1:
        return RtlpLznt1Compress(From, Bytes, To, Room, Final, WorkSpace,
                                 (FormatAndEngine & 0xff00) == COMPRESSION_ENGINE_MAXIMUM);
    case COMPRESSION_FORMAT_XPRESS:
        return RtlpXpressCompress(From, Bytes, To, Room, Final, WorkSpace);
    default:
        return STATUS_UNSUPPORTED_COMPRESSION;
    }
}

NTSTATUS NTAPI RtlDecompressBufferEx(USHORT Format, PUCHAR To, ULONG Room, PUCHAR From, ULONG Bytes, PULONG Final,
                                     PVOID WorkSpace)
{
    NTSTATUS Status = RtlpKnowFormat(Format & 0xff);
    if (!NT_SUCCESS(Status))
        return Status;
    switch (Format & 0xff) {
    case COMPRESSION_FORMAT_LZNT1:
        return RtlpLznt1Decompress(To, Room, From, Bytes, Final);
    case COMPRESSION_FORMAT_XPRESS:
        return RtlpXpressDecompress(To, Room, From, Bytes, Final);
    default:
        return WorkSpace ? RtlpHuffmanDecompress(To, Room, From, Bytes, Final, WorkSpace) : STATUS_INVALID_PARAMETER;
    }
}

/* docs: RtlDecompressBuffer: it has no work space, so formats that need one are not for it. */
NTSTATUS NTAPI RtlDecompressBuffer(USHORT Format, PUCHAR To, ULONG Room, PUCHAR From, ULONG Bytes, PULONG Final)
{
    if ((Format & 0xff) == COMPRESSION_FORMAT_XPRESS_HUFF)
        return STATUS_UNSUPPORTED_COMPRESSION;
    return RtlDecompressBufferEx(Format, To, Room, From, Bytes, Final, NULL);
}

NTSTATUS NTAPI RtlDecompressBufferEx2(USHORT Format, PUCHAR To, ULONG Room, PUCHAR From, ULONG Bytes, ULONG ChunkSize,
                                      PULONG Final, PVOID WorkSpace)
{
    return RtlDecompressBufferEx(Format, To, Room, From, Bytes, Final, WorkSpace);
}

NTSTATUS NTAPI RtlDecompressFragment(USHORT Format, PUCHAR To, ULONG Room, PUCHAR From, ULONG Bytes, ULONG Offset,
                                     PULONG Final, PVOID WorkSpace)
{
    NTSTATUS Status = RtlpKnowFormat(Format & 0xff);
    if (!NT_SUCCESS(Status))
        return Status;
    if ((Format & 0xff) != COMPRESSION_FORMAT_LZNT1)
        return STATUS_UNSUPPORTED_COMPRESSION;
    return RtlpLznt1Fragment(To, Room, From, Bytes, Offset, Final, WorkSpace);
}

NTSTATUS NTAPI RtlDecompressFragmentEx(USHORT Format, PUCHAR To, ULONG Room, PUCHAR From, ULONG Bytes, ULONG Offset,
                                       ULONG ChunkSize, PULONG Final, PVOID WorkSpace)
{
    return RtlDecompressFragment(Format, To, Room, From, Bytes, Offset, Final, WorkSpace);
}
