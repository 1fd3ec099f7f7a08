/* A card that interrupts twice, and a DPC that serves what its ISR has counted. */
#pragma once

#include "../race.h"
#include "../../devices/card.h"

#define PERIOD 20 /* microseconds */
#define TIMES 2

static CARD card;
static PKINTERRUPT interrupt;
static KDPC dpc;
static volatile LONG arrived, served, interrupts;

static VOID in_dpc(PKDPC self, PVOID context, PVOID one, PVOID two);

static BOOLEAN in_isr(PKINTERRUPT self, PVOID context)
{
    if (!(card[R_STATUS] & S_TICK))
        return FALSE;
    card[R_STATUS] = S_TICK;
    arrived = arrived + 1;
    if (++interrupts == TIMES)
        card[R_CONTROL] = 0;
    KeInsertQueueDpc(&dpc, NULL, NULL);
    return TRUE;
}

static VOID unload(PDRIVER_OBJECT driver)
{
    IoDisconnectInterrupt(interrupt);
    KeFlushQueuedDpcs();
    CloseCard(card);
    MUST(served == interrupts);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    KIRQL irql;
    ULONG vector = CardVector(&irql);

    driver->DriverUnload = unload;
    card = OpenCard(0);
    KeInitializeDpc(&dpc, in_dpc, NULL);
    MUST(NT_SUCCESS(
        IoConnectInterrupt(&interrupt, in_isr, NULL, NULL, vector, irql, irql, LevelSensitive, TRUE, 1, FALSE)));
    card[R_PERIOD] = PERIOD;
    card[R_CONTROL] = C_COUNT | C_COUNT_INTERRUPT;
    race_sleep(1);
    MUST(interrupts == TIMES);
    return STATUS_SUCCESS;
}
