/* Things done many times, for bench_machine to time from outside: nothing in the machine can read the host's clock. */
#include "traps.h"

#define TIMES 100000

extern const char Many8[], Many8_end[], ManyCr8[], ManyCr8_end[], ManyTime[], ManyTime_end[];
__asm__("ManyTime: movl $100000, %r8d\n 1: rdtsc\n decl %r8d\n jnz 1b\n retq\nManyTime_end:\n"
        "ManyCr8: movl $100000, %r8d\n 1: movq %cr8, %rax\n decl %r8d\n jnz 1b\n retq\nManyCr8_end:\n"
        "Many8: movl $100000, %r8d\n 1: movq %rax, %cr8\n decl %r8d\n jnz 1b\n retq\nMany8_end:\n");

static int Continue(struct door_trap *trap)
{
    return 1;
}

void TestMain(void)
{
    struct door_event event = {.type = DOOR_EVENT_PRINT, .payload = 5};
    struct door_file file = {.op = DOOR_FILE_VOLUME};

    TrapsInstall();
    Hook = Continue;
    if (Asked("trap to the kernel and back"))
        Run(Many8, Many8_end, 0, 0);
    else if (Asked("mov rax, cr8 emulated"))
        Run(ManyCr8, ManyCr8_end, 0, 0);
    else if (Asked("rdtsc emulated"))
        Run(ManyTime, ManyTime_end, 0, 0);
    else if (Asked("record of 5 bytes"))
        for (int i = 0; i < TIMES; i++)
            Door->record(&event, "line\n");
    else if (Asked("request to the supervisor"))
        for (int i = 0; i < TIMES; i++)
            Door->file(&file);
    else if (Asked("protect of one page"))
        for (int i = 0; i < TIMES; i++)
            Door->protect(CodePage(), DOOR_PAGE, i & 1 ? DOOR_READ : DOOR_READ | DOOR_WRITE);
    else if (Asked("stack made and guarded"))
        for (int i = 0; i < TIMES; i += 1000)
            Need(Door->stacks(1 + i, 1000) == DOOR_OK, "stacks");
    else
        Need(Asked("nothing"), "unknown test");
}
