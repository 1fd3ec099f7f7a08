/* A provider: registration with its enable callback, events of several levels, activities, WPP messages. */
#include "../io/test.h"

#define NOT_THERE ((REGHANDLE)0x1234)

NTSTATUS WmiTraceMessage(TRACEHANDLE, ULONG, LPGUID, USHORT, ...);

static const GUID Provider = {0x01020304, 0x0506, 0x0708, {9, 10, 11, 12, 13, 14, 15, 16}};
static const GUID Message = {0x11121314, 0x1516, 0x1718, {0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f, 0x20}};
static REGHANDLE Handle;
static ULONG Enabled, Level;
static BOOLEAN Wrong;

static VOID NTAPI Enable(LPCGUID Source, ULONG Code, UCHAR AtLevel, ULONGLONG Any, ULONGLONG All,
                         PEVENT_FILTER_DESCRIPTOR Filter, PVOID Context)
{
    Enabled++;
    Level = AtLevel;
    Wrong |= KeGetCurrentIrql() != PASSIVE_LEVEL || Context != &Level || Code != 1;
}

static VOID a_provider_registers(VOID)
{
    STATUS(EtwRegister(NULL, Enable, &Level, &Handle), STATUS_INVALID_PARAMETER);
    OK(EtwRegister(&Provider, Enable, &Level, &Handle));
    CHECK(!Wrong && Enabled == (Level != 0));
    CHECK(EtwProviderEnabled(Handle, 4, 1) == (Enabled != 0) && !EtwProviderEnabled(Handle, 5, 1));
    CHECK(!EtwProviderEnabled(NOT_THERE, 1, 1));
}

static VOID events_are_written_at_any_level(VOID)
{
    EVENT_DESCRIPTOR Event = {.Id = 7, .Version = 1, .Level = 4, .Opcode = 2, .Task = 3, .Keyword = 8}, Loud = Event;
    ULONG One = 1;
    UCHAR Bytes[2] = {0xff, 0xee};
    EVENT_DATA_DESCRIPTOR Data[2];
    KIRQL Irql;
    Loud.Level = 5;
    EventDataDescCreate(&Data[0], &One, sizeof(One));
    EventDataDescCreate(&Data[1], Bytes, sizeof(Bytes));
    OK(EtwWrite(Handle, &Event, NULL, 2, Data));
    OK(EtwWrite(Handle, &Loud, NULL, 2, Data));
    CHECK(EtwEventEnabled(Handle, &Event) == (Enabled != 0) && !EtwEventEnabled(Handle, &Loud));
    OK(EtwWriteString(Handle, 3, 1, NULL, L"a text"));
    OK(EtwWriteTransfer(Handle, &Event, NULL, &Provider, 0, NULL));
    STATUS(EtwWrite(NOT_THERE, &Event, NULL, 2, Data), STATUS_INVALID_HANDLE);
    STATUS(EtwWrite(Handle, NULL, NULL, 2, Data), STATUS_INVALID_PARAMETER);
    STATUS(EtwWrite(Handle, &Event, NULL, 1000, Data), STATUS_INVALID_PARAMETER);
    KeRaiseIrql(DISPATCH_LEVEL, &Irql);
    OK(EtwWrite(Handle, &Event, NULL, 2, Data));
    KeLowerIrql(Irql);
}

static VOID activities_belong_to_the_thread(VOID)
{
    GUID One = {1}, Two = {2}, Three;
    OK(EtwActivityIdControl(EVENT_ACTIVITY_CTRL_SET_ID, &One));
    OK(EtwActivityIdControl(EVENT_ACTIVITY_CTRL_GET_SET_ID, &Two));
    CHECK(Two.Data1 == 1);
    OK(EtwActivityIdControl(EVENT_ACTIVITY_CTRL_GET_ID, &Three));
    CHECK(Three.Data1 == 2);
    OK(EtwActivityIdControl(EVENT_ACTIVITY_CTRL_CREATE_ID, &One));
    OK(EtwActivityIdControl(EVENT_ACTIVITY_CTRL_CREATE_ID, &Two));
    CHECK(memcmp(&One, &Two, sizeof(GUID)));
    STATUS(EtwActivityIdControl(9, &One), STATUS_INVALID_PARAMETER);
}

static VOID messages_go_to_a_logger(VOID)
{
    CHAR Text[2] = {(CHAR)0xab, (CHAR)0xcd};
    GUID Id = Message;
    NTSTATUS Want = Enabled ? STATUS_SUCCESS : STATUS_INVALID_HANDLE;
    STATUS(WmiTraceMessage(1, 2, &Id, 12, Text, (SIZE_T)2, NULL), Want);
    STATUS(WmiTraceMessage(7, 2, &Id, 12, Text, (SIZE_T)2, NULL), STATUS_INVALID_HANDLE);
}

static VOID security_events_are_reported(VOID)
{
    UNICODE_STRING Source = RTL_CONSTANT_STRING(L"S"), Text = RTL_CONSTANT_STRING(L"t");
    static SE_ADT_PARAMETER_ARRAY Event = {.AuditId = 4242, .Type = 8, .ParameterCount = 2, .FlatSubCategoryId = 5};
    Event.Parameters[0] = (SE_ADT_PARAMETER_ARRAY_ENTRY){.Type = SeAdtParmTypeString, .Address = &Text};
    Event.Parameters[1] = (SE_ADT_PARAMETER_ARRAY_ENTRY){.Type = SeAdtParmTypeUlong, .Data = {0x1234}};
    OK(SeEtwWriteKMCveEvent(&Source, &Text));
    STATUS(SeEtwWriteKMCveEvent(NULL, &Text), STATUS_INVALID_PARAMETER);
    OK(SeReportSecurityEvent(0, &Source, NULL, &Event));
    OK(SeReportSecurityEventWithSubCategory(0, &Source, SeExports->SeWorldSid, &Event, 6));
    STATUS(SeReportSecurityEvent(0, NULL, NULL, &Event), STATUS_INVALID_PARAMETER);
    STATUS(SeReportSecurityEvent(0, &Source, NULL, NULL), STATUS_INVALID_PARAMETER);
    Event.Type = 1;
    STATUS(SeReportSecurityEvent(0, &Source, NULL, &Event), STATUS_INVALID_PARAMETER);
    Event.Type = 16;
    Event.ParameterCount = SE_MAX_AUDIT_PARAMETERS + 1;
    STATUS(SeReportSecurityEvent(0, &Source, NULL, &Event), STATUS_INVALID_PARAMETER);
}

static VOID it_unregisters(VOID)
{
    OK(EtwUnregister(Handle));
    STATUS(EtwUnregister(Handle), STATUS_INVALID_HANDLE);
}

TEST_MAIN(a_provider_registers, events_are_written_at_any_level, activities_belong_to_the_thread,
          messages_go_to_a_logger, security_events_are_reported, it_unregisters)
