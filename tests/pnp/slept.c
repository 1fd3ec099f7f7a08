/*
 * When the system went to sleep last, and woke. (docs: ZwPowerInformation, LastSleepTime)
 *
 * OPTIONS: --for 40s
 */
#include "pnp.h"
#include "simple.h"

static void Times(PULONGLONG Slept, PULONGLONG Woke)
{
    OK(ZwPowerInformation(LastSleepTime, NULL, 0, Slept, sizeof(*Slept)));
    OK(ZwPowerInformation(LastWakeTime, NULL, 0, Woke, sizeof(*Woke)));
}

static void Never(PDEVICE_OBJECT Device)
{
    ULONGLONG Slept = 1, Woke = 1;
    Times(&Slept, &Woke);
    CHECK(Slept == 0 && Woke == 0);
}

/* slept.lua: after thirty seconds. */
static void Once(void)
{
    ULONGLONG Slept = 0, Woke = 0;
    Times(&Slept, &Woke);
    CHECK(Slept >= 300000000 && Slept < 310000000 && Woke >= Slept && Woke < 310000000);
    SUM();
}

#define STARTED Never
#define UNLOADING Once
#include "simple_body.h"
