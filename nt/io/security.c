/*
 * The security of devices, and of files where their file system has none.
 *
 * A device's descriptor is a field of it. Opening the device itself is checked with it; a name behind it is the driver's to
 * judge, unless the device asks for the check by FILE_DEVICE_SECURE_OPEN. (docs: Controlling Device Access, IoCreateDevice)
 */
#include "nt.h"

/* Everybody may use a device, and only the system and administrators a disk, until its driver says otherwise. */
PSECURITY_DESCRIPTOR IopDefaultSecurity(DEVICE_TYPE Type)
{
    static PSECURITY_DESCRIPTOR Shared[2];
    BOOLEAN Storage = Type == FILE_DEVICE_DISK || Type == FILE_DEVICE_CD_ROM || Type == FILE_DEVICE_TAPE ||
                      Type == FILE_DEVICE_VIRTUAL_DISK;
    if (!Shared[Storage]) {
        SECURITY_DESCRIPTOR Open;
        PSECURITY_DESCRIPTOR New;
        RtlCreateSecurityDescriptor(&Open, SECURITY_DESCRIPTOR_REVISION);
        RtlSetOwnerSecurityDescriptor(&Open, SeExports->SeAliasAdminsSid, FALSE);
        RtlSetGroupSecurityDescriptor(&Open, SeExports->SeLocalSystemSid, FALSE);
        RtlSetDaclSecurityDescriptor(&Open, TRUE, Storage ? SePublicDefaultDacl : SePublicOpenDacl, FALSE);
        if (!NT_SUCCESS(SepAssign(NULL, &Open, NULL, FALSE, SEF_AVOID_OWNER_CHECK,
                                  SepPrimaryToken(PsInitialSystemProcess), &IopFileType->Init.Mapping, PagedPool,
                                  &New)))
            return NULL;
        ObLogSecurityDescriptor(New, &Shared[Storage], 1); /* kept */
        SeDeassignSecurity(&New);
    }
    if (Shared[Storage])
        ObReferenceSecurityDescriptor(Shared[Storage], 1);
    return Shared[Storage];
}

NTSTATUS IopDeviceSecurity(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                           PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects,
                           POOL_TYPE Pool, PGENERIC_MAPPING Mapping)
{
    PDEVICE_OBJECT Device = Body;
    switch (Operation) {
    case SetSecurityDescriptor:
        return ObSetSecurityDescriptorInfo(Body, What, Descriptor, &Device->SecurityDescriptor, Pool, Mapping);
    case QuerySecurityDescriptor:
        return SeQuerySecurityDescriptorInfo(What, Descriptor, Length, &Device->SecurityDescriptor);
    default:
        return STATUS_SUCCESS; /* it got its own when it was made, and gives it up with its body */
    }
}

/* A file that stands for its device as a whole. */
static BOOLEAN IopIsDevice(PFILE_OBJECT File)
{
    return !File->FileName.Length && !File->RelatedFileObject;
}

static NTSTATUS IopAskSecurity(PFILE_OBJECT File, BOOLEAN Set, PSECURITY_INFORMATION What,
                               PSECURITY_DESCRIPTOR Descriptor, PULONG Length)
{
    PDEVICE_OBJECT Top = IoGetRelatedDeviceObject(File);
    IO_STATUS_BLOCK Iosb;
    PIRP Irp = IopAllocateIrp(Top->StackSize, File);
    if (!Irp)
        return STATUS_INSUFFICIENT_RESOURCES;
    PIO_STACK_LOCATION Stack = IoGetNextIrpStackLocation(Irp);
    Irp->Flags = IRP_SYNCHRONOUS_API | IRP_CLOSE_OPERATION;
    Irp->UserBuffer = Set ? NULL : Descriptor;
    Stack->MajorFunction = Set ? IRP_MJ_SET_SECURITY : IRP_MJ_QUERY_SECURITY;
    Stack->FileObject = File;
    if (Set) {
        Stack->Parameters.SetSecurity.SecurityInformation = *What;
        Stack->Parameters.SetSecurity.SecurityDescriptor = Descriptor;
    } else {
        Stack->Parameters.QuerySecurity.SecurityInformation = *What;
        Stack->Parameters.QuerySecurity.Length = *Length;
    }
    NTSTATUS Status = IopCallAndWait(Top, Irp, &Iosb);
    if (!Set && (NT_SUCCESS(Status) || Status == STATUS_BUFFER_OVERFLOW))
        *Length = (ULONG)Iosb.Information;
    return Status == STATUS_BUFFER_OVERFLOW ? STATUS_BUFFER_TOO_SMALL : Status;
}

/* A file system without security lets everybody do everything, and takes what is set for granted, as Windows' FAT. */
NTSTATUS IopFileSecurity(PVOID Body, SECURITY_OPERATION_CODE Operation, PSECURITY_INFORMATION What,
                         PSECURITY_DESCRIPTOR Descriptor, PULONG Length, PSECURITY_DESCRIPTOR *Objects, POOL_TYPE Pool,
                         PGENERIC_MAPPING Mapping)
{
    PFILE_OBJECT File = Body;
    if (Operation != SetSecurityDescriptor && Operation != QuerySecurityDescriptor)
        return STATUS_SUCCESS;
    if (!File->DeviceObject)
        return STATUS_INVALID_DEVICE_REQUEST;
    if (IopIsDevice(File))
        return IopDeviceSecurity(File->DeviceObject, Operation, What, Descriptor, Length, NULL, Pool, Mapping);
    NTSTATUS Status = IopAskSecurity(File, Operation == SetSecurityDescriptor, What, Descriptor, Length);
    if (Status != STATUS_INVALID_DEVICE_REQUEST)
        return Status;
    if (Operation == SetSecurityDescriptor)
        return STATUS_SUCCESS;
    PSECURITY_DESCRIPTOR Open = IopDefaultSecurity(FILE_DEVICE_UNKNOWN);
    Status = SeQuerySecurityDescriptorInfo(What, Descriptor, Length, &Open);
    ObDereferenceSecurityDescriptor(Open, 1);
    return Status;
}

NTSTATUS IopCheckOpenAccess(PDEVICE_OBJECT Device, BOOLEAN WholeDevice, KPROCESSOR_MODE Mode, PULONG Access)
{
    SECURITY_SUBJECT_CONTEXT Subject;
    NTSTATUS Status;
    ULONG Granted;
    if (Mode == KernelMode || (!WholeDevice && !(Device->Characteristics & FILE_DEVICE_SECURE_OPEN)))
        return STATUS_SUCCESS;
    SeCaptureSubjectContext(&Subject);
    SeLockSubjectContext(&Subject);
    if (SeAccessCheck(Device->SecurityDescriptor, &Subject, TRUE, *Access, 0, NULL, &IopFileType->Init.Mapping, Mode,
                      &Granted, &Status))
        *Access = Granted;
    SeUnlockSubjectContext(&Subject);
    SeReleaseSubjectContext(&Subject);
    return Status;
}
