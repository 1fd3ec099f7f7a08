/*
 * Share access: who may have a file open beside whom (docs: IoCheckShareAccess, IoSetShareAccess).
 */
#include "nt.h"

static VOID IopNoteAccess(ACCESS_MASK Access, ULONG Share, PFILE_OBJECT File)
{
    File->ReadAccess = (Access & (FILE_READ_DATA | FILE_EXECUTE)) != 0;
    File->WriteAccess = (Access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) != 0;
    File->DeleteAccess = (Access & DELETE) != 0;
    File->SharedRead = File->SharedWrite = File->SharedDelete = FALSE;
    if (File->ReadAccess || File->WriteAccess || File->DeleteAccess) {
        File->SharedRead = (Share & FILE_SHARE_READ) != 0;
        File->SharedWrite = (Share & FILE_SHARE_WRITE) != 0;
        File->SharedDelete = (Share & FILE_SHARE_DELETE) != 0;
    }
}

static BOOLEAN IopCounts(PFILE_OBJECT File)
{
    return File->ReadAccess || File->WriteAccess || File->DeleteAccess;
}

VOID NTAPI IoUpdateShareAccess(PFILE_OBJECT File, PSHARE_ACCESS Share)
{
    if (!IopCounts(File))
        return;
    Share->OpenCount++;
    Share->Readers += File->ReadAccess;
    Share->Writers += File->WriteAccess;
    Share->Deleters += File->DeleteAccess;
    Share->SharedRead += File->SharedRead;
    Share->SharedWrite += File->SharedWrite;
    Share->SharedDelete += File->SharedDelete;
}

VOID NTAPI IoSetShareAccess(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share)
{
    IopNoteAccess(Access, Desired, File);
    RtlZeroMemory(Share, sizeof(*Share));
    IoUpdateShareAccess(File, Share);
}

NTSTATUS NTAPI IoCheckShareAccess(ACCESS_MASK Access, ULONG Desired, PFILE_OBJECT File, PSHARE_ACCESS Share,
                                  BOOLEAN Update)
{
    IopNoteAccess(Access, Desired, File);
    if (!IopCounts(File))
        return STATUS_SUCCESS;
    if ((File->ReadAccess && Share->SharedRead < Share->OpenCount) ||
        (File->WriteAccess && Share->SharedWrite < Share->OpenCount) ||
        (File->DeleteAccess && Share->SharedDelete < Share->OpenCount) || (Share->Readers && !File->SharedRead) ||
        (Share->Writers && !File->SharedWrite) || (Share->Deleters && !File->SharedDelete))
        return STATUS_SHARING_VIOLATION;
    if (Update)
        IoUpdateShareAccess(File, Share);
    return STATUS_SUCCESS;
}

VOID NTAPI IoRemoveShareAccess(PFILE_OBJECT File, PSHARE_ACCESS Share)
{
    if (!IopCounts(File))
        return;
    Share->OpenCount--;
    Share->Readers -= File->ReadAccess;
    Share->Writers -= File->WriteAccess;
    Share->Deleters -= File->DeleteAccess;
    Share->SharedRead -= File->SharedRead;
    Share->SharedWrite -= File->SharedWrite;
    Share->SharedDelete -= File->SharedDelete;
}
