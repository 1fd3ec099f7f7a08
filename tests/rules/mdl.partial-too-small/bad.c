/*
 * A partial MDL has an entry for each page of its part. This one has one, and the part lies in two.
 *
 * EXPECT: mdl.partial-too-small bad.c:@ in Build
 */
#include <ntddk.h>

#define BYTES (2 * PAGE_SIZE)

static VOID Unload(PDRIVER_OBJECT Driver)
{
}

static VOID Build(PUCHAR Buffer, PMDL Source, PMDL Target)
{
    MmBuildMdlForNonPagedPool(Source);
    IoBuildPartialMdl(Source, Target, Buffer + PAGE_SIZE - 8, 16); /* @ */
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    PUCHAR Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, BYTES, 'eluR');
    if (!Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    PMDL Source = IoAllocateMdl(Buffer, BYTES, FALSE, FALSE, NULL);
    PMDL Target = IoAllocateMdl(Buffer, 16, FALSE, FALSE, NULL);
    if (Source && Target)
        Build(Buffer, Source, Target);
    if (Target)
        IoFreeMdl(Target);
    if (Source)
        IoFreeMdl(Source);
    ExFreePoolWithTag(Buffer, 'eluR');
    return STATUS_SUCCESS;
}
