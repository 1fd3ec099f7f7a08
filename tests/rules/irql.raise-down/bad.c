/*
 * KeRaiseIrql only raises. This asks it for a lower level.
 *
 * EXPECT: irql.raise-down bad.c:@ in DriverEntry
 */
#include <ntddk.h>

/* The headers make these inline; drivers built for older ones import them. */
extern KIRQL (*Raise)(KIRQL) __asm__("__imp_KfRaiseIrql");
extern VOID (*Lower)(KIRQL) __asm__("__imp_KeLowerIrql");

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    KIRQL Old = Raise(DISPATCH_LEVEL);

    Raise(PASSIVE_LEVEL); /* @ */
    Lower(Old);
    return STATUS_SUCCESS;
}
