/*
 * Hive files: the regf format (as the public descriptions of it tell; versions 1.3 to 1.6 are read, 1.3 and 1.5 written).
 *
 * A base block of 4096 bytes, then bins, which are multiples of 4096 bytes; offsets count from the first bin. A bin is a
 * header and cells, each with its length in front, negative while it is in use. Cells are keys (nk), lists of subkeys (lf,
 * lh, li, and ri for lists of lists), values (vk), lists of values, data (long ones in pieces: db), descriptors (sk).
 *
 * The format belongs to the kernel: ZwSaveKey and ZwLoadKey need it there, descriptors, classes and write times are known
 * there, and what a damaged file does happens inside the sandbox. The host hands files through.
 */
#pragma once

#pragma pack(push, 1)

typedef struct _CM_BASE_BLOCK {
    ULONG Signature, Sequence1, Sequence2;
    LARGE_INTEGER TimeStamp;
    ULONG Major, Minor, Type, Format, RootCell, Length, Cluster;
    WCHAR FileName[32];
    ULONG Reserved[99];
    ULONG CheckSum;
    UCHAR Rest[3584];
} CM_BASE_BLOCK, *PCM_BASE_BLOCK;

typedef struct _CM_BIN {
    ULONG Signature, Offset, Size, Reserved[2];
    LARGE_INTEGER TimeStamp;
    ULONG Spare;
} CM_BIN, *PCM_BIN;

typedef struct _CM_KEY_NODE {
    USHORT Signature, Flags;
    LARGE_INTEGER WriteTime;
    ULONG Spare, Parent, SubKeys, VolatileSubKeys, SubKeyList, VolatileList, Values, ValueList, Security, Class;
    ULONG MaxName; /* the high half: what a client and the virtualization put there */
    ULONG MaxClass, MaxValueName, MaxValueData, Work;
    USHORT NameBytes, ClassBytes;
    UCHAR Name[];
} CM_KEY_NODE, *PCM_KEY_NODE;

typedef struct _CM_LIST_CELL {
    USHORT Signature, Count;
    ULONG Entry[]; /* lf and lh: pairs of an offset and a hint */
} CM_LIST_CELL, *PCM_LIST_CELL;

typedef struct _CM_VALUE_CELL {
    USHORT Signature, NameBytes;
    ULONG Bytes, Data, Type;
    USHORT Flags, Spare;
    UCHAR Name[];
} CM_VALUE_CELL, *PCM_VALUE_CELL;

typedef struct _CM_SECURITY_CELL {
    USHORT Signature, Reserved;
    ULONG Next, Previous, References, Bytes;
    UCHAR Descriptor[];
} CM_SECURITY_CELL, *PCM_SECURITY_CELL;

typedef struct _CM_BIG_DATA {
    USHORT Signature, Count;
    ULONG List;
} CM_BIG_DATA, *PCM_BIG_DATA;

#pragma pack(pop)

C_ASSERT(sizeof(CM_BASE_BLOCK) == 4096 && sizeof(CM_BIN) == 32 && sizeof(CM_KEY_NODE) == 76);
C_ASSERT(sizeof(CM_VALUE_CELL) == 20 && sizeof(CM_SECURITY_CELL) == 20);

#define CM_REGF 0x66676572 /* "regf" */
#define CM_HBIN 0x6e696268 /* "hbin" */
#define CM_NK 0x6b6e
#define CM_VK 0x6b76
#define CM_SK 0x6b73
#define CM_LF 0x666c
#define CM_LH 0x686c
#define CM_LI 0x696c
#define CM_RI 0x6972
#define CM_DB 0x6264

#define CM_NK_ROOT 4
#define CM_NK_NO_DELETE 8
#define CM_NK_LINK 0x10
#define CM_NK_NARROW 0x20 /* the name is in bytes, Latin-1 */
#define CM_VK_NARROW 1

#define CM_NONE 0xffffffffu
#define CM_INLINE 0x80000000u /* of CM_VALUE_CELL.Bytes: up to four bytes of data stand in Data itself */
#define CM_PIECE 16344u       /* of long data, since version 1.4 */

/* The checksum of a base block. */
ULONG CmpCheckSum(const CM_BASE_BLOCK *Base);

/* A file of Top and what below it is not volatile (of a volatile key, everything). *Image: a block of ours. */
NTSTATUS CmpWriteHive(PCM_KEY Top, BOOLEAN Latest, PUCHAR *Image, PULONG Bytes);
/* A tree of its own made from a file, of at most so many levels; CmpDestroyTree, or CmpMergeTree. Nothing here reaches a
 * delivery point. */
NTSTATUS CmpReadHive(PUCHAR Image, ULONG Bytes, ULONG Levels, BOOLEAN Volatile, PCM_KEY *Top);
