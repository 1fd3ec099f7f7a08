/*
 * Copies between the cache and a caller's buffer, zeroing, and descriptions of cache pages by MDLs.
 * (docs: CcCopyRead, CcCopyWrite, CcZeroData, CcMdlRead, CcPrepareMdlWrite)
 */
#include "nt.h"
#include "cc/ccp.h"

/* A piece of [Offset, End) that lies in one view. */
typedef struct _CCP_PIECE {
    PCCP_VIEW View;
    ULONG In, Bytes; /* in the view */
    ULONG First, Pages;
} CCP_PIECE;

static CCP_PIECE CcpPiece(PCCP_MAP Map, LONGLONG Offset, LONGLONG End)
{
    CCP_PIECE Piece = {.View = CcpViewAt(Map, Offset), .In = (ULONG)(Offset % CCP_VIEW_BYTES)};
    Piece.Bytes = End - Offset < CCP_VIEW_BYTES - Piece.In ? (ULONG)(End - Offset) : CCP_VIEW_BYTES - Piece.In;
    Piece.First = Piece.In / PAGE_SIZE;
    Piece.Pages = (Piece.In + Piece.Bytes + PAGE_SIZE - 1) / PAGE_SIZE - Piece.First;
    return Piece;
}

static VOID CcpFail(CCP_PIECE *Piece, NTSTATUS Status)
{
    CcpLeaveView(Piece->View);
    ExRaiseStatus(FsRtlNormalizeNtstatus(Status, STATUS_UNEXPECTED_IO_ERROR));
}

/* From or to the caller's buffer: a program's, which may be gone, is STATUS_INVALID_USER_BUFFER to the file system. */
static VOID CcpCopy(PVOID To, const VOID *From, ULONG Bytes, BOOLEAN Read)
{
    UINT64 Buffer = (UINT64)(Read ? To : From);
    if (Buffer > (UINT64)MmHighestUserAddress)
        RtlCopyMemory(To, From, Bytes);
    else if (!NT_SUCCESS(Read ? MmWriteUser(To, From, Bytes) : MmReadUser(To, From, Bytes)))
        ExRaiseStatus(STATUS_INVALID_USER_BUFFER);
}

/* ---- Read -------------------------------------------------------------------------------------------------------- */

BOOLEAN NTAPI CcCopyReadEx(PFILE_OBJECT File, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait, PVOID Buffer,
                           PIO_STATUS_BLOCK Iosb, PETHREAD Issuer)
{
    PCCP_MAP Map = CcpMapOf(File);
    LONGLONG Offset = FileOffset->QuadPart, End = Offset + Length;
    PUCHAR To = Buffer;
    if (!Wait && !CcpIsReady(Map, Offset, Length))
        return FALSE;
    while (Offset < End) {
        CCP_PIECE Piece = CcpPiece(Map, Offset, End);
        NTSTATUS Status = CcpReady(Piece.View, Piece.First, Piece.Pages);
        if (!NT_SUCCESS(Status))
            CcpFail(&Piece, Status);
        CcpLeaveView(Piece.View); /* the copy may raise; it is no delivery point */
        CcpCopy(To, Piece.View->Memory + Piece.In, Piece.Bytes, TRUE);
        To += Piece.Bytes;
        Offset += Piece.Bytes;
    }
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = Length;
    CcpReadAhead(File, FileOffset->QuadPart, Length);
    return TRUE;
}

BOOLEAN NTAPI CcCopyRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, PVOID Buffer,
                         PIO_STATUS_BLOCK Iosb)
{
    return CcCopyReadEx(File, Offset, Length, Wait, Buffer, Iosb, NULL);
}

VOID NTAPI CcFastCopyRead(PFILE_OBJECT File, ULONG FileOffset, ULONG Length, ULONG PageCount, PVOID Buffer,
                          PIO_STATUS_BLOCK Iosb)
{
    LARGE_INTEGER Offset = {.QuadPart = FileOffset};
    CcCopyRead(File, &Offset, Length, TRUE, Buffer, Iosb);
}

/* ---- Write ------------------------------------------------------------------------------------------------------- */

/* Pages that are only written in part must hold the file's bytes first; those written as a whole need no read. */
static NTSTATUS CcpReadyEdges(CCP_PIECE *Piece)
{
    ULONG Last = Piece->First + Piece->Pages - 1;
    NTSTATUS Status = STATUS_SUCCESS;
    if (Piece->In % PAGE_SIZE || (Piece->Pages == 1 && Piece->Bytes < PAGE_SIZE))
        Status = CcpReady(Piece->View, Piece->First, 1);
    if (NT_SUCCESS(Status) && (Piece->In + Piece->Bytes) % PAGE_SIZE)
        Status = CcpReady(Piece->View, Last, 1);
    return Status;
}

static BOOLEAN CcpEdgesReady(PCCP_MAP Map, LONGLONG Offset, LONGLONG End)
{
    LONGLONG Last = (End - 1) & ~(PAGE_SIZE - 1ll);
    return (!(Offset % PAGE_SIZE) || CcpIsReady(Map, Offset, 1)) && (!(End % PAGE_SIZE) || CcpIsReady(Map, Last, 1));
}

/* Copy or zero. */
static VOID CcpFill(PFILE_OBJECT File, LONGLONG Offset, LONGLONG End, BOOLEAN Copies, const UCHAR *From)
{
    PCCP_MAP Map = CcpMapOf(File);
    LONGLONG Start = Offset;
    while (Offset < End) {
        CCP_PIECE Piece = CcpPiece(Map, Offset, End);
        NTSTATUS Status = CcpReadyEdges(&Piece);
        if (!NT_SUCCESS(Status))
            CcpFail(&Piece, Status);
        CcpLeaveView(Piece.View);
        if (Copies)
            CcpCopy(Piece.View->Memory + Piece.In, From, Piece.Bytes, FALSE);
        else
            RtlZeroMemory(Piece.View->Memory + Piece.In, Piece.Bytes);
        CcpSetDirty(Piece.View, Piece.First, Piece.Pages);
        From = Copies ? From + Piece.Bytes : NULL;
        Offset += Piece.Bytes;
        if (Map->ValidGoal.QuadPart != MAXLONGLONG && Map->ValidGoal.QuadPart < Offset)
            Map->ValidGoal.QuadPart = Offset;
    }
    if (File->Flags & FO_WRITE_THROUGH) {
        LARGE_INTEGER First = {.QuadPart = Start};
        IO_STATUS_BLOCK Iosb;
        CcFlushCache(File->SectionObjectPointer, &First, (ULONG)(End - Start), &Iosb);
        if (!NT_SUCCESS(Iosb.Status))
            ExRaiseStatus(FsRtlNormalizeNtstatus(Iosb.Status, STATUS_UNEXPECTED_IO_ERROR));
    }
}

BOOLEAN NTAPI CcCopyWriteEx(PFILE_OBJECT File, PLARGE_INTEGER FileOffset, ULONG Length, BOOLEAN Wait, PVOID Buffer,
                            PETHREAD Issuer)
{
    LONGLONG Offset = FileOffset->QuadPart, End = Offset + Length;
    if (!Wait && ((File->Flags & FO_WRITE_THROUGH) || (Length && !CcpEdgesReady(CcpMapOf(File), Offset, End))))
        return FALSE;
    CcpFill(File, Offset, End, TRUE, Buffer);
    return TRUE;
}

BOOLEAN NTAPI CcCopyWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, BOOLEAN Wait, PVOID Buffer)
{
    return CcCopyWriteEx(File, Offset, Length, Wait, Buffer, NULL);
}

VOID NTAPI CcFastCopyWrite(PFILE_OBJECT File, ULONG FileOffset, ULONG Length, PVOID Buffer)
{
    LARGE_INTEGER Offset = {.QuadPart = FileOffset};
    CcCopyWrite(File, &Offset, Length, TRUE, Buffer);
}

BOOLEAN NTAPI CcCopyWriteWontFlush(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length)
{
    return Length <= 0x10000;
}

/* A file that is not cached is zeroed on disk, from a page of zeros. docs: CcZeroData: whole sectors then. */
static VOID CcpZeroOnDisk(PFILE_OBJECT File, LONGLONG Offset, LONGLONG End)
{
    PVOID Zeros = ExpTryAllocate(0x10000, CCP_TAG);
    IO_STATUS_BLOCK Iosb;
    NTSTATUS Status = Zeros ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
    while (NT_SUCCESS(Status) && Offset < End) {
        ULONG Bytes = End - Offset < 0x10000 ? (ULONG)(End - Offset) : 0x10000;
        PMDL Mdl = CcpMakeMdl(Zeros, Bytes);
        Status = Mdl ? IopPageTransfer(File, Mdl, Offset, TRUE, &Iosb) : STATUS_INSUFFICIENT_RESOURCES;
        if (Mdl)
            CcpFreeMdl(Mdl);
        Offset += Bytes;
    }
    if (Zeros)
        ExpFree(Zeros);
    if (!NT_SUCCESS(Status))
        ExRaiseStatus(FsRtlNormalizeNtstatus(Status, STATUS_UNEXPECTED_IO_ERROR));
}

BOOLEAN NTAPI CcZeroData(PFILE_OBJECT File, PLARGE_INTEGER Start, PLARGE_INTEGER End, BOOLEAN Wait)
{
    PCCP_MAP Map = File->SectionObjectPointer ? CcpMapOf(File) : NULL;
    if (Start->QuadPart >= End->QuadPart)
        return TRUE;
    if (!File->PrivateCacheMap || !Map) {
        if (!Wait)
            return FALSE;
        CcpZeroOnDisk(File, Start->QuadPart, End->QuadPart);
        return TRUE;
    }
    if (!Wait && ((File->Flags & FO_WRITE_THROUGH) || !CcpEdgesReady(Map, Start->QuadPart, End->QuadPart)))
        return FALSE;
    CcpFill(File, Start->QuadPart, End->QuadPart, FALSE, NULL);
    return TRUE;
}

/* ---- MDLs -------------------------------------------------------------------------------------------------------- */

static PCCP_VIEW CcpViewOfMdl(PCCP_MAP Map, PMDL Mdl)
{
    PUCHAR Memory = (PUCHAR)Mdl->StartVa + Mdl->ByteOffset;
    for (ULONG i = 0; i < Map->Views; i++)
        if (Map->View[i] && Memory >= Map->View[i]->Memory && Memory < Map->View[i]->Memory + CCP_VIEW_BYTES)
            return Map->View[i];
    return NULL;
}

static VOID CcpEndMdls(PCCP_MAP Map, PMDL Mdl, BOOLEAN Written)
{
    for (PMDL Next; Mdl; Mdl = Next) {
        PCCP_VIEW View = Map ? CcpViewOfMdl(Map, Mdl) : NULL;
        Next = Mdl->Next;
        if (View) {
            ULONG In = (ULONG)((PUCHAR)Mdl->StartVa + Mdl->ByteOffset - View->Memory);
            ULONG First = In / PAGE_SIZE, Pages = (In + Mdl->ByteCount + PAGE_SIZE - 1) / PAGE_SIZE - First;
            if (Written)
                CcpSetDirty(View, First, Pages);
            CcpLeaveView(View);
        }
        CcpFreeMdl(Mdl);
    }
}

static VOID CcpDescribe(PFILE_OBJECT File, LONGLONG Offset, ULONG Length, BOOLEAN Write, PMDL *Chain,
                        PIO_STATUS_BLOCK Iosb)
{
    PCCP_MAP Map = CcpMapOf(File);
    LONGLONG End = Offset + Length;
    PMDL *Link = Chain;
    while (*Link)
        Link = &(*Link)->Next;
    PMDL *First = Link;
    while (Offset < End) {
        CCP_PIECE Piece = CcpPiece(Map, Offset, End);
        NTSTATUS Status = Write ? CcpReadyEdges(&Piece) : CcpReady(Piece.View, Piece.First, Piece.Pages);
        PMDL Mdl = NT_SUCCESS(Status) ? CcpMakeMdl(Piece.View->Memory + Piece.In, Piece.Bytes) : NULL;
        if (!Mdl) {
            CcpEndMdls(Map, *First, FALSE);
            *First = NULL;
            CcpFail(&Piece, NT_SUCCESS(Status) ? STATUS_INSUFFICIENT_RESOURCES : Status);
        }
        *Link = Mdl;
        Link = &Mdl->Next;
        Offset += Piece.Bytes;
    }
    Iosb->Status = STATUS_SUCCESS;
    Iosb->Information = Length;
}

VOID NTAPI CcMdlRead(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, PMDL *Chain, PIO_STATUS_BLOCK Iosb)
{
    CcpDescribe(File, Offset->QuadPart, Length, FALSE, Chain, Iosb);
    CcpReadAhead(File, Offset->QuadPart, Length);
}

VOID NTAPI CcMdlReadComplete(PFILE_OBJECT File, PMDL Chain)
{
    CcpEndMdls(CcpMapOf(File), Chain, FALSE);
}

VOID NTAPI CcPrepareMdlWrite(PFILE_OBJECT File, PLARGE_INTEGER Offset, ULONG Length, PMDL *Chain, PIO_STATUS_BLOCK Iosb)
{
    CcpDescribe(File, Offset->QuadPart, Length, TRUE, Chain, Iosb);
}

VOID NTAPI CcMdlWriteComplete(PFILE_OBJECT File, PLARGE_INTEGER Offset, PMDL Chain)
{
    PCCP_MAP Map = CcpMapOf(File);
    ULONG Bytes = 0;
    for (PMDL Mdl = Chain; Mdl; Mdl = Mdl->Next)
        Bytes += Mdl->ByteCount;
    CcpEndMdls(Map, Chain, TRUE);
    if (Map->ValidGoal.QuadPart != MAXLONGLONG && Map->ValidGoal.QuadPart < Offset->QuadPart + Bytes)
        Map->ValidGoal.QuadPart = Offset->QuadPart + Bytes;
    if (File->Flags & FO_WRITE_THROUGH)
        CcFlushCache(File->SectionObjectPointer, Offset, Bytes, NULL);
}

VOID NTAPI CcMdlWriteAbort(PFILE_OBJECT File, PMDL Chain)
{
    CcpEndMdls(CcpMapOf(File), Chain, FALSE);
}
