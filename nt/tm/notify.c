/*
 * Notifications to resource managers: a call of the routine they enabled, or an entry of the queue that
 * NtGetNotificationResourceManager reads (docs: TmEnableCallbacks, ZwGetNotificationResourceManager).
 */
#include "nt.h"
#include "tm/tmp.h"

typedef struct _TM_NOTIFICATION {
    LIST_ENTRY Entry;
    TRANSACTION_NOTIFICATION Public;
    TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT Argument;
} TM_NOTIFICATION, *PTM_NOTIFICATION;

/* What goes with the notifications of an enlistment: whose it is. */
static TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT TmpArgument(PKENLISTMENT Enlistment)
{
    return (TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT){.EnlistmentId = Enlistment->Id,
                                                        .UOW = Enlistment->Transaction->Id};
}

VOID TmpTell(PKENLISTMENT Enlistment, ULONG Notification)
{
    PKRESOURCEMANAGER Rm = Enlistment->Rm;
    TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT Argument = TmpArgument(Enlistment);
    LARGE_INTEGER Clock = {.QuadPart = ++Rm->Tm->Clock.QuadPart};
    if (Rm->Callback) {
        VF_CALLBACK Callback = {.Contract = "PTM_RM_NOTIFICATION",
                                .What = "resource manager notification",
                                .Routine = (PVOID)(ULONG_PTR)Rm->Callback,
                                .Object = Enlistment,
                                .Stack = Rm->Stack,
                                .StackText = "Callbacks were enabled at:"};
        VfEnterCallback(&Callback);
        Rm->Callback(Enlistment, Rm->Key, Enlistment->Key, Notification, &Clock, sizeof(Argument), &Argument);
        VfLeaveCallback(&Callback);
        if (Clock.QuadPart > Rm->Tm->Clock.QuadPart)
            Rm->Tm->Clock = Clock;
        return;
    }
    PTM_NOTIFICATION Queued = ExpAllocate(sizeof(*Queued), 'toNT');
    Queued->Public = (TRANSACTION_NOTIFICATION){.TransactionKey = Enlistment->Key,
                                                .TransactionNotification = Notification,
                                                .TmVirtualClock = Clock,
                                                .ArgumentLength = sizeof(Argument)};
    Queued->Argument = Argument;
    InsertTailList(&Rm->Queue, &Queued->Entry);
    KeReleaseSemaphore(&Rm->Waiting, 0, 1, FALSE);
}

/* The oldest one; too small a buffer leaves it in the queue. */
NTSTATUS TmpTake(PKRESOURCEMANAGER Rm, PTRANSACTION_NOTIFICATION Buffer, ULONG Bytes, PLARGE_INTEGER Timeout,
                 PULONG Returned)
{
    ULONG Need = sizeof(TRANSACTION_NOTIFICATION) + sizeof(TRANSACTION_NOTIFICATION_RECOVERY_ARGUMENT);
    if (Rm->Callback)
        return STATUS_INVALID_PARAMETER;
    if (Returned)
        *Returned = Need;
    if (Bytes < Need)
        return STATUS_BUFFER_TOO_SMALL;
    NTSTATUS Status = KeWaitForSingleObject(&Rm->Waiting, Executive, KernelMode, FALSE, Timeout);
    if (Status != STATUS_SUCCESS)
        return Status;
    PTM_NOTIFICATION Queued = CONTAINING_RECORD(RemoveHeadList(&Rm->Queue), TM_NOTIFICATION, Entry);
    *Buffer = Queued->Public;
    RtlCopyMemory(Buffer + 1, &Queued->Argument, sizeof(Queued->Argument));
    ExpFree(Queued);
    return STATUS_SUCCESS;
}

VOID TmpEmptyQueue(PKRESOURCEMANAGER Rm)
{
    while (!IsListEmpty(&Rm->Queue))
        ExpFree(CONTAINING_RECORD(RemoveHeadList(&Rm->Queue), TM_NOTIFICATION, Entry));
}
