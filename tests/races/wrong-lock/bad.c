/*
 * Wrong lock: both sides hold a lock, but not the same one.
 * DEPTH: 1
 * EXPECT: race\.data|driver\.bugcheck
 */
#include "../race.h"

static volatile LONG balance = 100;
static KSPIN_LOCK lock[2];

static VOID transfer(KSPIN_LOCK *guard, LONG amount)
{
    KIRQL irql;

    KeAcquireSpinLock(guard, &irql);
    balance += amount;
    KeReleaseSpinLock(guard, irql);
}

static VOID pay_in(PVOID context)
{
    transfer(&lock[0], 10);
}

static VOID pay_out(PVOID context)
{
    transfer(&lock[1], -10);
}

static VOID unload(PDRIVER_OBJECT driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    KeInitializeSpinLock(&lock[0]);
    KeInitializeSpinLock(&lock[1]);
    race(pay_in, pay_out);
    MUST(balance == 100);
    return STATUS_SUCCESS;
}
