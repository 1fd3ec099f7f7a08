/*
 * Share access: who may have a file open beside whom (docs: IoCheckShareAccess, IoSetShareAccess, and for files with several
 * links IoCheckLinkShareAccess, IoSetLinkShareAccess).
 *
 * A file has one SHARE_ACCESS; each of its links may have a LINK_SHARE_ACCESS, against which deleting is checked then. The
 * caller holds the file's lock. All forms come down to the ones for links.
 */
#include "nt.h"

#define IOP_READ_ACCESS (FILE_READ_DATA | FILE_EXECUTE)
#define IOP_WRITE_ACCESS (FILE_WRITE_DATA | FILE_APPEND_DATA)

typedef struct _IOP_SHARING {
    BOOLEAN Read, Write, Delete, SharedRead, SharedWrite, SharedDelete;
} IOP_SHARING;

static BOOLEAN IopCounts(const IOP_SHARING *Open)
{
    return Open->Read || Open->Write || Open->Delete;
}

/* docs: IoCheckShareAccessEx: who may not write cannot keep others from reading either. */
static IOP_SHARING IopSharing(ACCESS_MASK Access, ULONG Share, ULONG Flags)
{
    IOP_SHARING Open = {.Read = (Access & IOP_READ_ACCESS) != 0,
                        .Write = (Access & IOP_WRITE_ACCESS) != 0,
                        .Delete = (Access & DELETE) != 0};

    if (Flags & IO_SHARE_ACCESS_NO_WRITE_PERMISSION)
        Share |= FILE_SHARE_READ;
    if (IopCounts(&Open) || (Flags & IO_CHECK_SHARE_ACCESS_FORCE_CHECK)) {
        Open.SharedRead = (Share & FILE_SHARE_READ) != 0;
        Open.SharedWrite = (Share & FILE_SHARE_WRITE) != 0;
        Open.SharedDelete = (Share & FILE_SHARE_DELETE) != 0;
    }
    return Open;
}

static IOP_SHARING IopSharingOf(PFILE_OBJECT File)
{
    return (IOP_SHARING){File->ReadAccess, File->WriteAccess, File->DeleteAccess,
                         File->SharedRead, File->SharedWrite, File->SharedDelete};
}

static VOID IopNoteSharing(PFILE_OBJECT File, const IOP_SHARING *Open)
{
    File->ReadAccess = Open->Read;
    File->WriteAccess = Open->Write;
    File->DeleteAccess = Open->Delete;
    File->SharedRead = Open->SharedRead;
    File->SharedWrite = Open->SharedWrite;
    File->SharedDelete = Open->SharedDelete;
}

/* One more open, or (By = -1) one less. */
static VOID IopCountOpen(const IOP_SHARING *Open, LONG By, PSHARE_ACCESS Share, PLINK_SHARE_ACCESS Link)
{
    if (!IopCounts(Open))
        return;
    Share->OpenCount += By;
    Share->Readers += By * Open->Read;
    Share->Writers += By * Open->Write;
    Share->Deleters += By * Open->Delete;
    Share->SharedRead += By * Open->SharedRead;
    Share->SharedWrite += By * Open->SharedWrite;
    Share->SharedDelete += By * Open->SharedDelete;
    if (!Link)
        return;
    Link->OpenCount += By;
    Link->Deleters += By * Open->Delete;
    Link->SharedDelete += By * Open->SharedDelete;
}

/* What one wants (Mine, and lets others do: Shared) against Opens others, of which Theirs do it and Allowed let it be done. */
static BOOLEAN IopClash(BOOLEAN Mine, BOOLEAN Shared, ULONG Opens, ULONG Theirs, ULONG Allowed)
{
    return (Mine && Allowed < Opens) || (Theirs && !Shared);
}

static BOOLEAN IopIsViolation(const IOP_SHARING *Open, PSHARE_ACCESS Share, PLINK_SHARE_ACCESS Link, ULONG Flags)
{
    ULONG Opens = Share ? Share->OpenCount : 0;

    if (Share && !(Flags & IO_CHECK_SHARE_ACCESS_DONT_CHECK_READ) &&
        IopClash(Open->Read, Open->SharedRead, Opens, Share->Readers, Share->SharedRead))
        return TRUE;
    if (Share && !(Flags & IO_CHECK_SHARE_ACCESS_DONT_CHECK_WRITE) &&
        IopClash(Open->Write, Open->SharedWrite, Opens, Share->Writers, Share->SharedWrite))
        return TRUE;
    if (Flags & IO_CHECK_SHARE_ACCESS_DONT_CHECK_DELETE)
        return FALSE;
    if (Link && !(Flags & IO_CHECK_SHARE_ACCESS_FORCE_USING_SCB))
        return IopClash(Open->Delete, Open->SharedDelete, Link->OpenCount, Link->Deleters, Link->SharedDelete);
    return Share && IopClash(Open->Delete, Open->SharedDelete, Opens, Share->Deleters, Share->SharedDelete);
}

/* ---- For files with several links ---------------------------------------------------------------------------------- */

NTSTATUS NTAPI IoCheckLinkShareAccess(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share,
                                      PLINK_SHARE_ACCESS Link, ULONG Flags)
{
    IOP_SHARING Open = IopSharing(Access, Desired, Flags);

    if (File && !(Flags & IO_CHECK_SHARE_ACCESS_DONT_UPDATE_FILE_OBJECT))
        IopNoteSharing(File, &Open);
    if (!IopCounts(&Open) && !(Flags & IO_CHECK_SHARE_ACCESS_FORCE_CHECK))
        return STATUS_SUCCESS;
    if (IopIsViolation(&Open, Share, Link, Flags))
        return STATUS_SHARING_VIOLATION;
    if (Share && (Flags & IO_CHECK_SHARE_ACCESS_UPDATE_SHARE_ACCESS))
        IopCountOpen(&Open, 1, Share, Link);
    return STATUS_SUCCESS;
}

VOID NTAPI IoSetLinkShareAccess(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share,
                                PLINK_SHARE_ACCESS Link, ULONG Flags)
{
    IOP_SHARING Open = IopSharing(Access, Desired, Flags);

    IopNoteSharing(File, &Open);
    RtlZeroMemory(Share, sizeof(*Share));
    if (Link)
        RtlZeroMemory(Link, sizeof(*Link));
    IopCountOpen(&Open, 1, Share, Link);
}

VOID NTAPI IoUpdateLinkShareAccess(PFILE_OBJECT File, PSHARE_ACCESS Share, PLINK_SHARE_ACCESS Link)
{
    IOP_SHARING Open = IopSharingOf(File);

    IopCountOpen(&Open, 1, Share, Link);
}

VOID NTAPI IoRemoveLinkShareAccess(PFILE_OBJECT File, PSHARE_ACCESS Share, PLINK_SHARE_ACCESS Link)
{
    IOP_SHARING Open = IopSharingOf(File);

    IopCountOpen(&Open, -1, Share, Link);
}

/* ---- For files without ------------------------------------------------------------------------------------------------ */

static ULONG IopPermissionFlags(PBOOLEAN WritePermission)
{
    return WritePermission && !*WritePermission ? IO_SHARE_ACCESS_NO_WRITE_PERMISSION : 0;
}

VOID NTAPI IoUpdateShareAccess(PFILE_OBJECT File, PSHARE_ACCESS Share)
{
    IoUpdateLinkShareAccess(File, Share, NULL);
}

VOID NTAPI IoRemoveShareAccess(PFILE_OBJECT File, PSHARE_ACCESS Share)
{
    IoRemoveLinkShareAccess(File, Share, NULL);
}

VOID NTAPI IoSetShareAccess(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share)
{
    IoSetLinkShareAccess(Access, Desired, File, Share, NULL, 0);
}

VOID NTAPI IoSetShareAccessEx(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share,
                              PBOOLEAN WritePermission)
{
    IoSetLinkShareAccess(Access, Desired, File, Share, NULL, IopPermissionFlags(WritePermission));
}

NTSTATUS NTAPI IoCheckShareAccessEx(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share,
                                    BOOLEAN Update, PBOOLEAN WritePermission)
{
    ULONG Flags = IopPermissionFlags(WritePermission);

    if (Update)
        Flags |= IO_CHECK_SHARE_ACCESS_UPDATE_SHARE_ACCESS;
    return IoCheckLinkShareAccess(Access, Desired, File, Share, NULL, Flags);
}

NTSTATUS NTAPI IoCheckShareAccess(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share,
                                  BOOLEAN Update)
{
    return IoCheckShareAccessEx(Access, Desired, File, Share, Update, NULL);
}
