/*
 * The cache manager, between its files.
 */
#pragma once

/* fsrtl/filter.c: lock or unlock a file by way of its filters and file system. */
NTSTATUS FsRtlpFileOperation(PFILE_OBJECT File, UCHAR Operation, const FS_FILTER_PARAMETERS *Parameters);
