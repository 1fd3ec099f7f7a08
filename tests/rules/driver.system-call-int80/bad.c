/*
 * Kernel code does not make system calls, by the old instruction neither.
 *
 * EXPECT: driver.(system-call|exception|privileged) bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    __asm__ volatile("int $0x80" : : "a"(20) : "memory"); /* @ */
    return STATUS_SUCCESS;
}
