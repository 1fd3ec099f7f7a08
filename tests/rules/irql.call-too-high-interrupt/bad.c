/*
 * A service routine runs at its device's level, where nothing of the dispatcher may be called.
 *
 * EXPECT: irql.call-too-high bad.c:@ in ServeCard
 */
#include "../../devices/card.h"

static CARD Card;
static PKINTERRUPT Interrupt;
static KEVENT Event;

static BOOLEAN ServeCard(PKINTERRUPT Object, PVOID Context)
{
    ULONG Status = Card[R_STATUS] & S_ALL;

    Card[R_STATUS] = Status;
    KeSetEvent(&Event, IO_NO_INCREMENT, FALSE); /* @ */
    return Status != 0;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    Card[R_CONTROL] = C_RESET;
    IoDisconnectInterrupt(Interrupt);
    CloseCard(Card);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);

    Driver->DriverUnload = Unload;
    Card = OpenCard(0);
    IoConnectInterrupt(&Interrupt, ServeCard, NULL, NULL, Vector, Irql, Irql, LevelSensitive, TRUE, 1, FALSE);
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    Card[R_PERIOD] = 100;
    Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    return STATUS_SUCCESS;
}
