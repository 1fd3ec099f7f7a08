/*
 * A driver hears of user sessions, and asks for their state. (docs: IoRegisterContainerNotification)
 *
 * OPTIONS: --scenario tests/callbacks/sessions.lua
 * EXPECT: session 1: event 1, state 1
 * EXPECT: session 1: event 3, state 3
 * EXPECT: session 1: event 5, state 6
 * EXPECT: session 2: event 1, state 1
 * EXPECT: session 1: event 4, state 5
 * EXPECT: session 1: event 2, state 8
 * EXPECT: 17 checks, 0 failures
 * EXPECT: no findings
 */
#include "../io/test.h"

static PVOID All, OnlyLogons;
static PDEVICE_OBJECT Device;
static ULONG Logons;

static NTSTATUS NTAPI Event(PVOID Session, PVOID IoObject, ULONG What, PVOID Context, PVOID Payload, ULONG Bytes)
{
    PIO_SESSION_CONNECT_INFO Info = Payload;
    IO_SESSION_STATE_INFORMATION State;

    if (IoObject == Device) {
        Logons++;
        return What == IoSessionEventLogon && Context == &Logons ? STATUS_SUCCESS : STATUS_UNSUCCESSFUL;
    }
    if (Bytes == sizeof(*Info) && IoObject == Driver && Context == &All &&
        NT_SUCCESS(IoGetContainerInformation(IoSessionStateInformation, Session, &State, sizeof(State))) &&
        State.SessionId == Info->SessionId)
        DbgPrint("session %u: event %u, state %u\n", Info->SessionId, What, State.SessionState);
    return STATUS_SUCCESS;
}

static VOID registrations_are_checked(VOID)
{
    IO_SESSION_STATE_NOTIFICATION What = {sizeof(What), 0, Driver, IO_SESSION_STATE_ALL_EVENTS, &All};
    PIO_CONTAINER_NOTIFICATION_FUNCTION Routine = (PIO_CONTAINER_NOTIFICATION_FUNCTION)Event;
    IO_SESSION_STATE_INFORMATION State;

    STATUS(IoRegisterContainerNotification(IoMaxContainerNotificationClass, Routine, &What, sizeof(What), &All),
           STATUS_INVALID_PARAMETER_1);
    STATUS(IoRegisterContainerNotification(IoSessionStateNotification, NULL, &What, sizeof(What), &All),
           STATUS_INVALID_PARAMETER_2);
    STATUS(IoRegisterContainerNotification(IoSessionStateNotification, Routine, &What, sizeof(What) - 1, &All),
           STATUS_INVALID_PARAMETER_4);
    STATUS(IoRegisterContainerNotification(IoSessionStateNotification, Routine, NULL, sizeof(What), &All),
           STATUS_INVALID_PARAMETER_3);
    What.Flags = 1;
    STATUS(IoRegisterContainerNotification(IoSessionStateNotification, Routine, &What, sizeof(What), &All),
           STATUS_INVALID_PARAMETER_3);
    What.Flags = 0;
    What.EventMask = 0x40;
    STATUS(IoRegisterContainerNotification(IoSessionStateNotification, Routine, &What, sizeof(What), &All),
           STATUS_INVALID_PARAMETER_3);
    What.EventMask = IO_SESSION_STATE_ALL_EVENTS;
    OK(IoRegisterContainerNotification(IoSessionStateNotification, Routine, &What, sizeof(What), &All));
    STATUS(IoRegisterContainerNotification(IoSessionStateNotification, Routine, &What, sizeof(What), &OnlyLogons),
           STATUS_ALREADY_COMMITTED);
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Device));
    What = (IO_SESSION_STATE_NOTIFICATION){sizeof(What), 0, Device, IO_SESSION_STATE_LOGON_EVENT, &Logons};
    OK(IoRegisterContainerNotification(IoSessionStateNotification, Routine, &What, sizeof(What), &OnlyLogons));
    STATUS(IoGetContainerInformation(IoMaxContainerInformationClass, &State, &State, sizeof(State)),
           STATUS_INVALID_PARAMETER_1);
    STATUS(IoGetContainerInformation(IoSessionStateInformation, NULL, &State, sizeof(State)),
           STATUS_INVALID_PARAMETER_2);
    STATUS(IoGetContainerInformation(IoSessionStateInformation, &State, NULL, sizeof(State)),
           STATUS_INVALID_PARAMETER_3);
    STATUS(IoGetContainerInformation(IoSessionStateInformation, &State, &State, sizeof(State) - 1),
           STATUS_INVALID_PARAMETER_4);
    CHECK(!Logons);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    CHECK(Logons == 1);
    IoUnregisterContainerNotification(All);
    IoUnregisterContainerNotification(OnlyLogons);
    IoDeleteDevice(Device);
    DbgPrint("%u checks, %u failures\n", Checks, Failures);
}

static VOID the_rest_is_the_operators(VOID)
{
    Driver->DriverUnload = Unload;
    CHECK(Failures == 0);
}

TEST_MAIN(registrations_are_checked, the_rest_is_the_operators)
