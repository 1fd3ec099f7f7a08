/*
 * An interrupt is still connected when its driver is unloaded.
 *
 * EXPECT: unload.interrupt .*
 */
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
    CloseCard(Card);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KIRQL Irql;
    ULONG Vector = CardVector(&Irql);

    Driver->DriverUnload = Unload;
    Card = OpenCard(0);
    IoConnectInterrupt(&Interrupt, ServeCard, NULL, NULL, Vector, Irql, Irql, LevelSensitive, TRUE, 1, FALSE);
    return STATUS_SUCCESS;
}
