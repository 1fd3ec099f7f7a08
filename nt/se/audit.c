/*
 * Audit, on a machine whose policy asks for none: nothing is written to the security log, no handle needs a record when
 * it is closed, and no access is audited. What a driver reports on its own goes where the log has it from on Windows, to the
 * event provider of security auditing, and so into the machine's record while that is traced.
 * (docs: SeOpenObjectAuditAlarm, SeAuditingFileEvents, ObQueryObjectAuditingByHandle, SE_ADT_PARAMETER_ARRAY)
 */
#include "nt.h"
#include "etw/etwp.h"

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

/* ---- Events of drivers ------------------------------------------------------------------------------------------- */

typedef struct _SEP_EVENT {
    PUCHAR Data;
    ULONG Bytes, Room;
} SEP_EVENT;

static BOOLEAN SepPut(SEP_EVENT *Event, const VOID *Data, ULONG Bytes)
{
    if (Bytes > Event->Room - Event->Bytes)
        return FALSE;
    RtlCopyMemory(Event->Data + Event->Bytes, Data, Bytes);
    Event->Bytes += Bytes;
    return TRUE;
}

static BOOLEAN SepPutText(SEP_EVENT *Event, PCUNICODE_STRING Text)
{
    return SepPut(Event, Text->Buffer, Text->Length) && SepPut(Event, L"", sizeof(WCHAR));
}

/* Parameters of kinds that only the security system itself has are left out. */
static BOOLEAN SepPutParameter(SEP_EVENT *Event, PSE_ADT_PARAMETER_ARRAY_ENTRY Parameter)
{
    switch (Parameter->Type) {
    case SeAdtParmTypeString:
    case SeAdtParmTypeFileSpec:
        return SepPutText(Event, Parameter->Address);
    case SeAdtParmTypeSid:
        return SepPut(Event, Parameter->Address, RtlLengthSid(Parameter->Address));
    case SeAdtParmTypeGuid:
        return SepPut(Event, Parameter->Address, sizeof(GUID));
    case SeAdtParmTypeUlong:
    case SeAdtParmTypeHexUlong:
    case SeAdtParmTypeAccessMask:
        return SepPut(Event, Parameter->Data, sizeof(ULONG));
    case SeAdtParmTypeLogonId:
    case SeAdtParmTypePtr:
    case SeAdtParmTypeTime:
    case SeAdtParmTypeLuid:
    case SeAdtParmTypeHexInt64:
        return SepPut(Event, Parameter->Data, sizeof(UINT64));
    default:
        return TRUE;
    }
}

#define SEP_AUDIT_SUCCESS 8 /* EVENTLOG_AUDIT_SUCCESS, EVENTLOG_AUDIT_FAILURE */
#define SEP_AUDIT_FAILURE 16
#define SEP_WARNING 3 /* TRACE_LEVEL_WARNING */

NTSTATUS NTAPI SeReportSecurityEventWithSubCategory(ULONG Flags, PUNICODE_STRING SourceName, PSID UserSid,
                                                    PSE_ADT_PARAMETER_ARRAY AuditParameters, ULONG AuditSubcategoryId)
{
    static const GUID Auditing = {0x54849625, 0x5478, 0x4994, {0xa5, 0xba, 0x3e, 0x3b, 0x03, 0x28, 0xc3, 0x0d}};
    struct door_event_etw Header = {.kind = DOOR_ETW_EVENT};
    SEP_EVENT Event = {0};
    if (!SourceName || !AuditParameters || AuditParameters->ParameterCount > SE_MAX_AUDIT_PARAMETERS ||
        (AuditParameters->Type != SEP_AUDIT_SUCCESS && AuditParameters->Type != SEP_AUDIT_FAILURE))
        return STATUS_INVALID_PARAMETER;
    if (!KiDoor->trace_level)
        return STATUS_SUCCESS;
    RtlCopyMemory(Header.provider, &Auditing, sizeof(GUID));
    Header.id = (uint16_t)AuditParameters->AuditId;
    Header.task = (uint16_t)AuditSubcategoryId;
    Header.keyword = AuditParameters->Type == SEP_AUDIT_SUCCESS ? 0x8020000000000000 : 0x8010000000000000;
    Event.Data = EtwpDataRoom(&Event.Room);
    BOOLEAN Fits = SepPutText(&Event, SourceName) && (!UserSid || SepPut(&Event, UserSid, RtlLengthSid(UserSid)));
    for (ULONG i = 0; i < AuditParameters->ParameterCount && Fits; i++)
        Fits = SepPutParameter(&Event, &AuditParameters->Parameters[i]);
    if (!Fits)
        return STATUS_BUFFER_OVERFLOW;
    EtwpRecord(&Header, Event.Data, Event.Bytes);
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI SeReportSecurityEvent(ULONG Flags, PUNICODE_STRING SourceName, PSID UserSid,
                                     PSE_ADT_PARAMETER_ARRAY AuditParameters)
{
    return SeReportSecurityEventWithSubCategory(Flags, SourceName, UserSid, AuditParameters,
                                                AuditParameters ? AuditParameters->FlatSubCategoryId : 0);
}

/* docs: SeEtwWriteKMCveEvent: an attempt on a known weakness was seen. */
NTSTATUS NTAPI SeEtwWriteKMCveEvent(PCUNICODE_STRING CveId, PCUNICODE_STRING AdditionalDetails)
{
    static const GUID Audit = {0x85a62a0d, 0x7e17, 0x485f, {0x9d, 0x4f, 0x74, 0x9a, 0x28, 0x71, 0x93, 0xa6}};
    static const UNICODE_STRING None = RTL_CONSTANT_STRING(L"");
    struct door_event_etw Header = {.kind = DOOR_ETW_EVENT, .id = 1, .level = SEP_WARNING};
    SEP_EVENT Event = {0};
    if (!CveId || !CveId->Buffer)
        return STATUS_INVALID_PARAMETER;
    if (KiDoor->trace_level < SEP_WARNING)
        return STATUS_SUCCESS;
    RtlCopyMemory(Header.provider, &Audit, sizeof(GUID));
    Event.Data = EtwpDataRoom(&Event.Room);
    if (!SepPutText(&Event, CveId) || !SepPutText(&Event, AdditionalDetails ? AdditionalDetails : &None))
        return STATUS_BUFFER_OVERFLOW;
    EtwpRecord(&Header, Event.Data, Event.Bytes);
    return STATUS_SUCCESS;
}
