/*
 * The compiler's own checks found damaged data and stopped the system before worse happens.
 *
 * EXPECT: driver.fast-fail bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    __asm__ volatile("int $0x29" : : "c"(3)); /* @ */
    return STATUS_SUCCESS;
}
