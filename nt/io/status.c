/*
 * Statuses of requests: merged from several into one, looked at whether they can be any (docs: IoSetMasterIrpStatus,
 * IoIsValidIrpStatus, "Defining New NTSTATUS Values"), and how urgent a paging request is (docs: IoGetPagingIoPriority).
 */
#include "nt.h"

#define IOP_SEVERITY(Status) ((ULONG)(Status) >> 30)
#define IOP_CUSTOMER 0x20000000u
#define IOP_RESERVED 0x10000000u
#define IOP_LAST_FACILITY 0xef
#define IOP_HIGH_PRIORITY_PAGING 0x00008000 /* IRP_HIGH_PRIORITY_PAGING_IO */

/* Errors replace what is none and what is less severe; a wish to verify the medium always comes through. */
VOID NTAPI IoSetMasterIrpStatus(PIRP MasterIrp, NTSTATUS Status)
{
    NTSTATUS Present = MasterIrp->IoStatus.Status;

    if (Status == STATUS_FT_READ_FROM_COPY)
        return;
    if (Status == STATUS_VERIFY_REQUIRED ||
        (!NT_SUCCESS(Status) && (NT_SUCCESS(Present) || IOP_SEVERITY(Status) > IOP_SEVERITY(Present))))
        MasterIrp->IoStatus.Status = Status;
}

BOOLEAN NTAPI IoIsValidIrpStatus(NTSTATUS Status)
{
    if (Status & IOP_CUSTOMER)
        return TRUE;
    return !(Status & IOP_RESERVED) && ((ULONG)Status >> 16 & 0xfff) <= IOP_LAST_FACILITY;
}

IO_PAGING_PRIORITY FASTCALL IoGetPagingIoPriority(PIRP Irp)
{
    if (!(Irp->Flags & IRP_PAGING_IO))
        return IoPagingPriorityInvalid;
    return Irp->Flags & IOP_HIGH_PRIORITY_PAGING ? IoPagingPriorityHigh : IoPagingPriorityNormal;
}
