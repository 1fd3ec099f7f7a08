/*
 * Paged memory under a spin lock: what a driver writer meets on the first day.
 *
 * A list is protected by a spin lock, as it should be, and its entries come from paged pool, because they are many and
 * seldom used. Taking the spin lock raises the IRQL to DISPATCH_LEVEL. Paged memory may be out at the disk, and to get
 * it back means to wait, which cannot be done there: the first touch under the lock is a page fault at DISPATCH_LEVEL.
 *
 * On an idle machine with plenty of memory the page happens to be in, so the driver seems to work for months. Here the
 * memory is treated as if it were out. What is touched under a spin lock comes from nonpaged pool.
 */
#include <ntddk.h>

#define LOCK_TAG 'kcoL'

typedef struct _ENTRY {
    LIST_ENTRY Link;
    ULONG Number;
} ENTRY, *PENTRY;

static LIST_ENTRY Entries;
static KSPIN_LOCK EntriesLock;
static ULONG EntryCount;
static PENTRY First;

DRIVER_INITIALIZE DriverEntry;
static DRIVER_UNLOAD Unload;

static DECLSPEC_NOINLINE VOID Append(PENTRY Entry)
{
    KIRQL OldIrql;

    KeAcquireSpinLock(&EntriesLock, &OldIrql);
    Entry->Number = ++EntryCount; /* the mistake: touches the entry at DISPATCH_LEVEL */
    InsertTailList(&Entries, &Entry->Link);
    KeReleaseSpinLock(&EntriesLock, OldIrql);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    UNREFERENCED_PARAMETER(DriverObject);

    ExFreePoolWithTag(First, LOCK_TAG);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    UNREFERENCED_PARAMETER(RegistryPath);

    InitializeListHead(&Entries);
    KeInitializeSpinLock(&EntriesLock);
    First = ExAllocatePoolWithTag(PagedPool, sizeof(*First), LOCK_TAG);
    if (!First)
        return STATUS_INSUFFICIENT_RESOURCES;
    First->Number = 0; /* fine: PASSIVE_LEVEL */
    DriverObject->DriverUnload = Unload;
    Append(First);
    return STATUS_SUCCESS;
}
