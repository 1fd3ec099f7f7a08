/*
 * Segments: what sections share. The words of a segment's pages lie in leaves, as far as they have memory; all sections of a
 * file's data share one segment (FILE_OBJECT.SectionObjectPointer->DataSectionObject), all its images another.
 * While a file is cached, the pages of its data are the cache's own (nt/cc/view.c): there is one copy.
 */
#pragma once

#include "mm/space.h"

#define MI_TAG_SEGMENT 'gSmM'

/* A section of an image. */
typedef struct _MI_PART {
    UINT64 Start, End; /* pages of the segment */
    ULONG Protection;
} MI_PART, *PMI_PART;

typedef struct _MI_SEGMENT {
    ULONG References; /* sections and views */
    ULONG Views, WritableSections, SystemViews;
    PFILE_OBJECT File; /* NULL = the paging file's */
    PVOID *Home;       /* the file's pointer to it */
    BOOLEAN Image;
    BOOLEAN Physical; /* the machine's memory itself: a page's offset is its address */
    UINT64 Bytes;     /* room for pages */
    UINT64 PreferredBase, Entry;
    USHORT Machine, Subsystem, Characteristics;
    PMI_PART Part; /* of an image: its headers and sections */
    ULONG Parts;
    UINT64 **Leaf;
    KMUTEX Paging; /* one read at a time */
} MI_SEGMENT, *PMI_SEGMENT;

typedef struct _MI_SECTION {
    PMI_SEGMENT Segment;
    UINT64 Bytes;
    ULONG Protection, Attributes;
} MI_SECTION, *PMI_SECTION;

BOOLEAN MiWritesShared(ULONG Protection);

/* segment.c */
NTSTATUS MiFileSize(PFILE_OBJECT File, PLONGLONG Size);
/* References: the caller's. File NULL = the paging file's. */
PMI_SEGMENT MiMakeSegment(UINT64 Bytes, PFILE_OBJECT File);
VOID MiFreeSegment(PMI_SEGMENT Segment);
VOID MiDereferenceSegment(PMI_SEGMENT Segment);
/* The word of a page; NULL = behind the end, or (unless Make) no leaf yet, or no memory. */
UINT64 *MiSegmentEntry(PMI_SEGMENT Segment, UINT64 Offset, BOOLEAN Make);
/* The file's segment of this kind, made if there is none. Referenced. */
NTSTATUS MiSegmentOfFile(PFILE_OBJECT File, BOOLEAN Image, UINT64 Bytes, PMI_SEGMENT *Segment);
/* What was written between Start and End goes to the file; *Written (or NULL) grows by the bytes. */
NTSTATUS MiFlushSegment(PMI_SEGMENT Segment, UINT64 Start, UINT64 End, PULONG Written);
/* A page of a file from or to memory. */
NTSTATUS MiPageFile(PFILE_OBJECT File, UINT64 Physical, UINT64 Offset, BOOLEAN Write);

/* sectionimage.c: a segment with an image laid out in it */
NTSTATUS MiMakeImage(PFILE_OBJECT File, PMI_SEGMENT *Result);
