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
    BOOLEAN Volume;         /* C: itself, opened by its bare name */
    BOOLEAN Removed;        /* it has no name any more; who has it open goes on */
    BOOLEAN RemoveReadOnly; /* its deletion was asked for regardless of the attribute */
    UINT64 Door;            /* handle of the host */
    UINT64 Id;
    SHARE_ACCESS Share;
    SECTION_OBJECT_POINTERS Sections;
    FAST_MUTEX Mutex; /* of the header, for contexts */
    FILE_LOCK Lock;
    OPLOCK Oplock;
    PCHAR Path; /* as the door wants it; in pool */
} FSD_FCB, *PFSD_FCB;

/* One file object's own part. */
typedef struct _FSD_CCB {
    BOOLEAN DeleteOnClose, SharesTaken;
    BOOLEAN MayDeleteOnClose; /* it was opened so */
    BOOLEAN PosixDelete;      /* the name goes with this handle, not with the last */
    BOOLEAN KeepsTimes;       /* docs: FILE_BASIC_INFORMATION: -1: what this handle does changes no times */
    UNICODE_STRING Watched;   /* the directory's name for its notifications; Buffer is ours */
    BOOLEAN ScanStarted;
    ULONG ScanIndex;        /* entries given out or passed over */
    CHAR ScanName[256];     /* the last of them, as the host has it */
    UNICODE_STRING Pattern; /* of the directory scan; Buffer is ours */
} FSD_CCB, *PFSD_CCB;

#define FSD_PATH sizeof(((struct door_file *)0)->path)
#define FSD_SERIAL 0x1249ab1e
#define FSD_TAG 'dsFI'
#define FSD_VOLUME_ID ((UINT64)-1)
#define FsdFcbOf(File) ((PFSD_FCB)(File)->FsContext)
#define FsdCcbOf(File) ((PFSD_CCB)(File)->FsContext2)
#define FsdIsFile(Fcb) ((Fcb) && !(Fcb)->Directory && !(Fcb)->Volume)

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
/* The host's handle comes in FsdRequest. */
NTSTATUS FsdOpenPath(PCSTR Path, ULONG Flags);
VOID FsdCloseDoor(UINT64 Handle);
PFSD_FCB FsdFindFcb(UINT64 Id); /* or NULL */
PFSD_FCB FsdTakeFcb(PCSTR Path, BOOLEAN Writable);
VOID FsdReleaseFcb(PFSD_FCB Fcb);
VOID FsdKeepPath(PFSD_FCB Fcb, PCSTR Path);
/* The door's path as a name from the volume's root on, in pool; the caller frees Buffer. FALSE = no memory. */
BOOLEAN FsdWiden(PCSTR Path, PUNICODE_STRING Name);
/* Something has happened to a file. docs: FILE_NOTIFY_INFORMATION. */
VOID FsdReport(PCSTR Path, ULONG Filter, ULONG Action);
extern PNOTIFY_SYNC FsdNotifySync;
extern LIST_ENTRY FsdNotifyList;

#define FSD_KEPT_ATTRIBUTES                                                                                            \
    (FILE_ATTRIBUTE_ARCHIVE | FILE_ATTRIBUTE_HIDDEN | FILE_ATTRIBUTE_SYSTEM | FILE_ATTRIBUTE_TEMPORARY |               \
     FILE_ATTRIBUTE_NOT_CONTENT_INDEXED)
extern PDEVICE_OBJECT FsdControlDevice;

DRIVER_DISPATCH FsdCreate, FsdCleanup, FsdClose, FsdRead, FsdWrite, FsdFlush;
DRIVER_DISPATCH FsdQueryInformation, FsdSetInformation, FsdQueryVolume, FsdDirectory, FsdControl, FsdLock;
