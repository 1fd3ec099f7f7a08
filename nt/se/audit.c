/*
 * Audit, on a machine whose policy asks for none: nothing is written to the security log, no handle needs a record when
 * it is closed, and no access is audited.
 * (docs: SeOpenObjectAuditAlarm, SeAuditingFileEvents, ObQueryObjectAuditingByHandle)
 */
#include "nt.h"

VOID NTAPI SeOpenObjectAuditAlarm(PUNICODE_STRING ObjectTypeName, PVOID Object, PUNICODE_STRING AbsoluteObjectName,
                                  PSECURITY_DESCRIPTOR Descriptor, PACCESS_STATE AccessState, BOOLEAN ObjectCreated,
                                  BOOLEAN AccessGranted, KPROCESSOR_MODE Mode, PBOOLEAN GenerateOnClose)
{
    if (Mode != KernelMode) /* docs: kernel mode is never audited, and its flag is left alone */
        *GenerateOnClose = FALSE;
}

VOID NTAPI SeOpenObjectForDeleteAuditAlarm(PUNICODE_STRING ObjectTypeName, PVOID Object,
                                           PUNICODE_STRING AbsoluteObjectName, PSECURITY_DESCRIPTOR Descriptor,
                                           PACCESS_STATE AccessState, BOOLEAN ObjectCreated, BOOLEAN AccessGranted,
                                           KPROCESSOR_MODE Mode, PBOOLEAN GenerateOnClose)
{
    SeOpenObjectAuditAlarm(ObjectTypeName, Object, AbsoluteObjectName, Descriptor, AccessState, ObjectCreated,
                           AccessGranted, Mode, GenerateOnClose);
}

VOID NTAPI SeDeleteObjectAuditAlarm(PVOID Object, HANDLE Handle)
{
}

VOID NTAPI SeAuditHardLinkCreation(PUNICODE_STRING FileName, PUNICODE_STRING LinkName, BOOLEAN Success)
{
}

BOOLEAN NTAPI SeAuditingFileEvents(BOOLEAN AccessGranted, PSECURITY_DESCRIPTOR Descriptor)
{
    return FALSE;
}

BOOLEAN NTAPI SeAuditingFileOrGlobalEvents(BOOLEAN AccessGranted, PSECURITY_DESCRIPTOR Descriptor,
                                           PSECURITY_SUBJECT_CONTEXT Subject)
{
    return FALSE;
}

BOOLEAN NTAPI SeAuditingFileEventsWithContext(BOOLEAN AccessGranted, PSECURITY_DESCRIPTOR Descriptor,
                                              PSECURITY_SUBJECT_CONTEXT Subject)
{
    return FALSE;
}

BOOLEAN NTAPI SeAuditingHardLinkEvents(BOOLEAN AccessGranted, PSECURITY_DESCRIPTOR Descriptor)
{
    return FALSE;
}

BOOLEAN NTAPI SeAuditingHardLinkEventsWithContext(BOOLEAN AccessGranted, PSECURITY_DESCRIPTOR Descriptor,
                                                  PSECURITY_SUBJECT_CONTEXT Subject)
{
    return FALSE;
}

NTSTATUS NTAPI ObQueryObjectAuditingByHandle(HANDLE Handle, PBOOLEAN GenerateOnClose)
{
    PVOID Object;
    NTSTATUS Status = ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL);
    if (!NT_SUCCESS(Status))
        return Status;
    ObfDereferenceObject(Object);
    *GenerateOnClose = FALSE;
    return STATUS_SUCCESS;
}
