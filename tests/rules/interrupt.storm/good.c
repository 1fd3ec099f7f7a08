/* The service routine clears the status that makes the device ask. */
#include "../../devices/card.h"

static CARD Card;
static PKINTERRUPT Interrupt;

static BOOLEAN ServeCard(PKINTERRUPT Object, PVOID Context)
{
    ULONG Status = Card[R_STATUS] & S_ALL;

    Card[R_STATUS] = Status;
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
    Card[R_PERIOD] = 100;
    Card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    return STATUS_SUCCESS;
}
