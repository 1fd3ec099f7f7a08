/*
 * The file system of the volume C:, between its files.
 */
#pragma once

/* A file that is open, however often. */
typedef struct _FSD_FCB {
    FSRTL_ADVANCED_FCB_HEADER Header; /* FileObject->FsContext points here, as file systems have it */
    LIST_ENTRY Entry;
    ULONG Opens;   /* file objects */
    ULONG Handles; /* of them those not cleaned up */
    BOOLEAN Writable, Directory, ReadOnly, DeletePending;
    UINT64 Door; /* handle of the host */
    UINT64 Id;
    SHARE_ACCESS Share;
    SECTION_OBJECT_POINTERS Sections;
    CHAR Path[sizeof(((struct door_file *)0)->path)]; /* as the door wants it */
} FSD_FCB, *PFSD_FCB;

/* One file object's own part. */
typedef struct _FSD_CCB {
    BOOLEAN DeleteOnClose, SharesTaken;
    BOOLEAN ScanStarted;
    ULONG ScanIndex;
    UNICODE_STRING Pattern; /* of the directory scan; Buffer is ours */
} FSD_CCB, *PFSD_CCB;

#define FSD_PATH sizeof(((struct door_file *)0)->path)
#define FSD_TAG 'dsFI'
#define FsdFcbOf(File) ((PFSD_FCB)(File)->FsContext)
#define FsdCcbOf(File) ((PFSD_CCB)(File)->FsContext2)

/* The one request to the door: filled, sent and read without a delivery point between. */
extern struct door_file FsdRequest;
NTSTATUS FsdAsk(ULONG Op); /* FsdRequest's other fields are filled */
NTSTATUS FsdAskFcb(PFSD_FCB Fcb, ULONG Op);
NTSTATUS FsdStat(PFSD_FCB Fcb, struct door_stat *Stat);
NTSTATUS FsdSetSize(PFSD_FCB Fcb, UINT64 Bytes);
/* A name of the machine as a path of the door. Relative to Related if not NULL. */
NTSTATUS FsdMakePath(PFSD_FCB Related, PCWSTR Name, ULONG Characters, PCHAR Path, PBOOLEAN MustBeDirectory);
NTSTATUS FsdFinish(PIRP Irp, NTSTATUS Status, ULONG_PTR Information);
ULONG FsdAttributes(const struct door_stat *Stat);
NTSTATUS FsdMakeWritable(PFSD_FCB Fcb);

DRIVER_DISPATCH FsdQueryInformation, FsdSetInformation, FsdQueryVolume, FsdDirectory;
