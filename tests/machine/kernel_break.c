/* Ways in which a machine breaks; the supervisor must survive each. */
#include "traps.h"

extern const char Loop[], Loop_end[], Busy[], Busy_end[];
__asm__("Loop: nop\n nop\n 1: incq %rax\n incq %rdx\n jmp 1b\nLoop_end:\n"
        "Busy: movq $1, %r8\n 1: movq %r8, (%rcx)\n incq %r8\n jmp 1b\nBusy_end:\n");

static void BadEvent(uint16_t type, uint32_t payload)
{
    struct door_event event = {.type = type, .payload = payload};

    Door->record(&event, "");
}

static volatile int Depth;
static int Deep(int n)
{
    volatile char room[256];

    if (n < 0)
        return 0;
    room[n % 256] = (char)n;
    Depth++;
    return Deep(n + 1) + room[0];
}

static void Flood(void)
{
    static char line[200];

    memset(line, 'x', sizeof(line));
    for (int i = 0; i < 100000; i++) {
        struct door_event event = {.type = DOOR_EVENT_PRINT, .payload = sizeof(line)};
        Door->record(&event, line);
    }
}

static void Watchdog(void)
{
    Run(Loop, Loop_end, 0, 0);
    Need(Seen.count == 1 && Seen.vector == DOOR_TRAP_WATCHDOG, "watchdog trap");
    Need(Seen.rip == CodePage() + 2, "the lowest instruction of the loop");
    Say("watchdog");
}

void TestMain(void)
{
    TrapsInstall();
    if (Asked("watchdog"))
        Watchdog();
    else if (Asked("kernel loop"))
        for (;;)
            __asm__ volatile("");
    else if (Asked("kernel recursion"))
        Deep(0);
    else if (Asked("event type"))
        BadEvent(99, 0);
    else if (Asked("event payload"))
        BadEvent(DOOR_EVENT_FINDING, 8);
    else if (Asked("flood"))
        Flood();
    else if (Asked("bad map"))
        Door->map(0x7ffff7000000, 0, DOOR_PAGE, DOOR_READ);
    else if (Asked("overwrite the host"))
        memset(Door, 0x5a, 1 << 20);
    else if (Asked("no kernel"))
        memset((void *)Door->image[0].base, 0x5a, Door->image[0].bytes);
    else if (Asked("halt unasked"))
        Door->halt(DOOR_HALT_CLEAN, "");
    else if (Asked("alive for ever"))
        Run(Busy, Busy_end, DOOR_PROCESSOR_BASE + DOOR_PCR_POINTS, 0);
    else
        Need(0, "unknown test");
}
