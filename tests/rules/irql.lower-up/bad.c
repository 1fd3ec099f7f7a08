/*
 * KeLowerIrql only lowers: to the level that the raise gave back. This asks it for a higher level.
 *
 * EXPECT: irql.lower-up bad.c:@ in DriverEntry
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
    Lower(DISPATCH_LEVEL); /* @ */
    Lower(PASSIVE_LEVEL);
    return STATUS_SUCCESS;
}
