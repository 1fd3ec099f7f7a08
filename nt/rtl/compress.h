/*
 * Compression formats (MS-XCA): each works on plain memory, reads and writes nothing outside the ranges it is given,
 * and takes damaged input for what it is.
 */
#pragma once

#define RTLP_CHUNK 4096            /* LZNT1's unit */
#define RTLP_LZNT1_WORK 0x8010     /* bytes of work space: to compress, */
#define RTLP_LZNT1_FRAGMENT 0x1000 /* and to decompress a fragment */
#define RTLP_XPRESS_WORK 0x8000
#define RTLP_HUFFMAN_WORK 0x10000 /* to decompress */

NTSTATUS RtlpLznt1Compress(const UCHAR *From, ULONG Bytes, PUCHAR To, ULONG Room, PULONG Final, PVOID Work,
                           BOOLEAN Thorough);
NTSTATUS RtlpLznt1Decompress(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Final);
/* From Offset of the data on; Chunk: room for one chunk. */
NTSTATUS RtlpLznt1Fragment(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, ULONG Offset, PULONG Final,
                           PUCHAR Chunk);

NTSTATUS RtlpXpressCompress(const UCHAR *From, ULONG Bytes, PUCHAR To, ULONG Room, PULONG Final, PVOID Work);
NTSTATUS RtlpXpressDecompress(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Final);
NTSTATUS RtlpHuffmanDecompress(PUCHAR To, ULONG Room, const UCHAR *From, ULONG Bytes, PULONG Final, PVOID Work);
