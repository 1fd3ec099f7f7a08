/*
 * Kernel code does not make system calls: it calls the routine itself.
 *
 * EXPECT: driver.system-call bad.c:@ in DriverEntry
 */
#include <ntddk.h>

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    __asm__ volatile("syscall" : : "a"(39) : "rcx", "r11", "memory"); /* @ */
    return STATUS_SUCCESS;
}
