/* Registrations that Windows makes depend on the image's signature, and one that it does not. */
#pragma once
#include "../io/test.h"

static PVOID Handle;

static VOID NTAPI OnProcessEx(PEPROCESS Process, HANDLE Id, PPS_CREATE_NOTIFY_INFO Info)
{
}

static VOID NTAPI OnProcess(HANDLE Parent, HANDLE Id, BOOLEAN Created)
{
}

static OB_PREOP_CALLBACK_STATUS NTAPI Before(PVOID Context, POB_PRE_OPERATION_INFORMATION Information)
{
    return OB_PREOP_SUCCESS;
}

static NTSTATUS RegisterProcess(VOID)
{
    return PsSetCreateProcessNotifyRoutineEx(OnProcessEx, FALSE);
}

static NTSTATUS RegisterPlain(VOID)
{
    return PsSetCreateProcessNotifyRoutine(OnProcess, FALSE);
}

static VOID UnregisterPlain(VOID)
{
    PsSetCreateProcessNotifyRoutine(OnProcess, TRUE);
}

static NTSTATUS RegisterHandles(VOID)
{
    OB_OPERATION_REGISTRATION Operation = {PsProcessType, OB_OPERATION_HANDLE_CREATE, Before, NULL};
    OB_CALLBACK_REGISTRATION Asked = {
        .Version = OB_FLT_REGISTRATION_VERSION, .OperationRegistrationCount = 1, .OperationRegistration = &Operation};
    RtlInitUnicodeString(&Asked.Altitude, L"320000");
    return ObRegisterCallbacks(&Asked, &Handle);
}
