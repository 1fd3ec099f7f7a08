/*
 * The cache manager, between its files.
 *
 * A file that is cached has one shared cache map, found by its section object pointers; each file object that takes
 * part has a private one. The file's bytes lie in views of 256 KiB, made where they are first touched. A view knows for
 * each of its 64 pages whether it holds the file's bytes (Valid), whether they differ from what was written (Dirty),
 * and whether a transfer is under way (Busy). Pages come and go by paging requests to the file system (nt/cc/view.c
 * alone makes them); dirty pages are written by the lazy writer's thread, by a flush, or when the last user goes.
 *
 * Kernel code is atomic between delivery points, so the fields need no lock. A paging request is a delivery point: its
 * pages are Busy meanwhile, the view's Mapped count keeps it, and everything else is looked at anew afterwards.
 *
 * Sections of the file show pages of the views (CcpShare), which stay where they are meanwhile.
 *
 * DIFFERS: views are resident memory, where Windows' are pageable.
 */
#pragma once

#define CCP_VIEW_PAGES 64
#define CCP_VIEW_BYTES (CCP_VIEW_PAGES * PAGE_SIZE)
C_ASSERT(CCP_VIEW_BYTES == VACB_MAPPING_GRANULARITY);
#define CCP_TAG 'cCFI'

typedef struct _CCP_VIEW {
    LIST_ENTRY Used; /* in CcpViews: longest unused first */
    struct _CCP_MAP *Map;
    LONGLONG Offset;
    UINT64 Physical;
    PUCHAR Memory;
    LONG Mapped; /* mapped, pinned, described by MDLs, or in use by us: it must stay where it is */
    UINT64 Valid, Dirty, Busy;
} CCP_VIEW, *PCCP_VIEW;

typedef struct _CCP_MAP {
    CSHORT NodeTypeCode, NodeByteSize; /* 0x2ff */
    ULONG OpenCount;
    LARGE_INTEGER FileSize; /* docs: CcGetFileSizePointer: here */
    LARGE_INTEGER SectionSize;
    LARGE_INTEGER ValidData; /* what the file system knows to be on disk; MAXLONGLONG = it does not say */
    LARGE_INTEGER ValidGoal; /* what will be when all that is dirty is written */
    LIST_ENTRY Entry;        /* in CcpMaps */
    PFILE_OBJECT File;       /* referenced; paging requests go to it */
    PSECTION_OBJECT_POINTERS Section;
    CACHE_MANAGER_CALLBACKS Callbacks;
    PVOID Context;
    BOOLEAN PinAccess, NoReadAhead, NoWriteBehind, Writing;
    BOOLEAN
    UnmapBehind; /* views that a sequential reader has left are given up, docs: CcSetAdditionalCacheAttributesEx */
    PVOID LogHandle;
    PFLUSH_TO_LSN FlushToLsn;
    PCCP_VIEW *View; /* by number; NULL = none */
    ULONG Views;
    ULONG DirtyPages, DirtyThreshold;
    LIST_ENTRY Bcbs;
    KEVENT Idle; /* a page is no longer busy */
    ULONG Round; /* of the lazy writer that looked at it last */
    PCACHE_UNINITIALIZE_EVENT Waiting;
} CCP_MAP, *PCCP_MAP;
C_ASSERT(FIELD_OFFSET(CCP_MAP, FileSize) == 8);

typedef struct _CCP_PRIVATE {
    CSHORT NodeTypeCode, NodeByteSize; /* 0x2fe */
    ULONG ReadAheadMask;
    PFILE_OBJECT File;
    LONGLONG LastStart, LastEnd; /* of the last read */
    LONGLONG AheadEnd;           /* read ahead up to here */
    BOOLEAN AheadQueued;
} CCP_PRIVATE, *PCCP_PRIVATE;

/* What CcMapData and the pin routines hand out. The public part comes first. */
typedef struct _CCP_BCB {
    PUBLIC_BCB Public; /* 0x2fd */
    LIST_ENTRY Entry;  /* of a pinned one, in the map's */
    PCCP_MAP Map;
    PCCP_VIEW View;
    LONG Pins;
    BOOLEAN Pinned; /* else only mapped */
    BOOLEAN Dirty;
    LARGE_INTEGER OldestLsn, NewestLsn;
    ERESOURCE Resource;
} CCP_BCB, *PCCP_BCB;

extern LIST_ENTRY CcpMaps, CcpViews;
extern ULONG CcpDirtyPages, CcpDirtyMost; /* of all files; more must wait */

#define CcpMapOf(File) ((PCCP_MAP)(File)->SectionObjectPointer->SharedCacheMap)

VOID CcpInitialize(VOID); /* the lazy writer */

/* view.c. Each raises a status when there is no memory or the file system fails, unless it says otherwise. */
PCCP_VIEW CcpViewAt(PCCP_MAP Map, LONGLONG Offset);             /* made if need be; Mapped is one more */
VOID CcpLeaveView(PCCP_VIEW View);                              /* Mapped is one less */
BOOLEAN CcpIsReady(PCCP_MAP Map, LONGLONG Offset, ULONG Bytes); /* all there, without a read */
NTSTATUS CcpReady(PCCP_VIEW View, ULONG First, ULONG Pages);    /* read what is not valid; raises nothing */
VOID CcpSetDirty(PCCP_VIEW View, ULONG First, ULONG Pages);
NTSTATUS CcpWriteRange(PCCP_MAP Map, LONGLONG Offset, LONGLONG End, PULONG_PTR Written);
BOOLEAN CcpDiscard(PCCP_MAP Map, LONGLONG Offset, LONGLONG End, BOOLEAN DirtyToo); /* FALSE: some of it is in use */
VOID CcpFreeViews(PCCP_MAP Map);
/* A page of the file for a section of it: read, and kept where it is until CcpUnshare. */
NTSTATUS CcpShare(PCCP_MAP Map, LONGLONG Offset, UINT64 *Physical);
BOOLEAN CcpShareThis(PCCP_MAP Map, LONGLONG Offset, PVOID Bytes, UINT64 *Physical); /* with these bytes */
VOID CcpShareDirty(PCCP_MAP Map, LONGLONG Offset, PVOID Bytes); /* it was written; Bytes not NULL: in a copy */
VOID CcpUnshare(PCCP_MAP Map, LONGLONG Offset);
/* Whole pages of a file from or to memory of ours, by a paging request that is waited for. Raises nothing. */
NTSTATUS CcpPageTransfer(PFILE_OBJECT File, PVOID Memory, LONGLONG Offset, ULONG Bytes, BOOLEAN Write,
                         PIO_STATUS_BLOCK Iosb);
PMDL CcpMakeMdl(PVOID Memory, ULONG Bytes); /* NULL = no memory */
VOID CcpFreeMdl(PMDL Mdl);

/* map.c */
VOID CcpTellValidData(PCCP_MAP Map);
BOOLEAN CcpTryDelete(PCCP_MAP Map); /* nobody uses it any more and nothing is dirty: gone */

/* pin.c: pages have been written, or are no more. */
VOID CcpForgetDirty(PCCP_MAP Map, LONGLONG Offset, LONGLONG End);
VOID CcpFlushLog(PCCP_MAP Map, LONGLONG Offset, LONGLONG End); /* docs: CcSetLogHandleForFile: the log goes first */

/* lazy.c */
VOID CcpWake(VOID); /* something is dirty, or a file waits for its end */
VOID CcpReadAhead(PFILE_OBJECT File, LONGLONG Offset, ULONG Bytes);

/* fsrtl/filter.c: lock or unlock a file by way of its filters and file system. */
NTSTATUS FsRtlpFileOperation(PFILE_OBJECT File, UCHAR Operation, const FS_FILTER_PARAMETERS *Parameters);
