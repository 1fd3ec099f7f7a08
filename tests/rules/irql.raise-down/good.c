/*
 * KeRaiseIrql only raises. A level is lowered by KeLowerIrql.
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

    Lower(Old);
    return STATUS_SUCCESS;
}
