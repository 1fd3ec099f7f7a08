/*
 * The kernel's entry point, and the order in which its parts wake up.
 *
 * The host has mapped the boot images and called us on stack slot 0, which becomes processor 0's idle stack. Nothing may
 * read the processor area before KiInitializeProcessors has mapped it.
 */
#include "nt.h"

struct door *KiDoor;
ULONG KiXstateBytes;
static struct door_up KiUp;

static VOID KiFillUp(VOID)
{
    KiUp.trap = (UINT64)KiTrap;
    KiUp.resume = (UINT64)KiResumeTrap;
    KiUp.write_cr8 = (UINT64)KiPatchedWriteCr8;
    KiUp.enable_interrupts = (UINT64)KiPatchedEnableInterrupts;
    KiUp.pause = (UINT64)KiPatchedPause;
    KiUp.access = (UINT64)KiPatchedAccess;
    KiUp.bind = VfBind;
}

/* Let the other processors do what the start left them: a schedule shall begin with nothing but the drivers to choose from. */
static VOID KiSettle(VOID)
{
    PKI_PROCESSOR Other;

    while ((Other = KiNextBusy(KiProcessor())))
        KiSwitchTo(Other);
}

/* The first thread: the parts that need threads, then the operator. */
static VOID KiPhase1(PVOID Context)
{
    ExInitializeWorkers();
    MmNamePhysicalMemory();
    IoInitialize();
    KiStartDpcThreads();
    KiSettle();
    IopOperator(NULL);
    KiDoor->halt(DOOR_HALT_CLEAN, "");
}

VOID KiSystemStartup(struct door *Door)
{
    PETHREAD First;

    KiDoor = Door;
    KiXstateBytes = Door->xstate_bytes;
    KiInitializeProcessors();
    KiFillUp();
    Door->up = &KiUp;
    if (Door->version != DOOR_VERSION || Door->bytes != sizeof(*Door))
        KiInternalError("door version %u, expected %u", Door->version, DOOR_VERSION);
    MmInitialize();
    KiInitializeClock();
    KiInitializeTimers();
    ExInitializePool();
    VfInitialize();
    HalInitializeTables();
    KiInitializeDispatcher();
    ObInitialize();
    SeInitialize();
    PsInitialize();
    MmInitializeSections();
    if (!NT_SUCCESS(PspCreateSystemThread(KiPhase1, NULL, FALSE, &First)))
        KiInternalError("no memory for the first thread");
    KiIdleLoop(NULL);
}
