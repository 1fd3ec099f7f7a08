/*
 * Signals become traps, see trap.h.
 *
 * Who may fault: code of the machine (Rip below DOOR_KERNEL_END) anywhere; host code during a door call at addresses of
 * the machine's memory, or ones that are not canonical, which a driver handed in. Other faults of host code during a
 * door call are internal errors. Host code that faults while no door call is under way was jumped into by a driver:
 * that is the driver's trap.
 *
 * Stacks: a trap goes on the interrupted stack, below the red zone that host code has. When Rsp is on no stack of the
 * machine, or the stack's last page is reached, it goes on the emergency stack.
 */
#define _GNU_SOURCE
#include "machine/trap.h"

#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/syscall.h"

#define RED_ZONE 128
#define HOME_SPACE 32 /* Microsoft's convention: the callee may write there */

#define KERNEL_SA_RESTORER 0x04000000
#define FP_XSTATE_MAGIC 0x46505853u
#define UPPER_SHARED_DATA 0xfffff78000000000ull

#define CONTEXT_AMD64_FULL 0x10000fu /* control, integer, segments, floating point */

/* Places in Windows' CONTEXT. */
enum {
    CONTEXT_FLAGS = 0x30,
    CONTEXT_MXCSR = 0x34,
    CONTEXT_SEGMENTS = 0x38,
    CONTEXT_EFLAGS = 0x44,
    CONTEXT_RAX = 0x78,
    CONTEXT_RIP = 0xf8,
    CONTEXT_FLOAT = 0x100
};

/* The software part of the signal frame's FXSAVE area. */
struct xsave_note {
    uint32_t magic, extended_bytes;
    uint64_t features;
    uint32_t bytes;
};

static uint8_t alternate_stack[256 * 1024] __attribute__((aligned(64)));
static volatile bool handling; /* a fault now would be ours */

extern const char trap_copy_instruction[], trap_copy_failed[];
size_t trap_copy(void *to, const void *from, size_t bytes); /* bytes not copied */

bool trap_read(void *to, uint64_t from, size_t bytes)
{
    return from >= DOOR_USER_BASE && from < DOOR_KERNEL_END && trap_copy(to, (const void *)from, bytes) == 0;
}

bool trap_write(uint64_t to, const void *from, size_t bytes)
{
    return to >= DOOR_USER_BASE && to < DOOR_KERNEL_END && trap_copy((void *)to, from, bytes) == 0;
}

size_t trap_instruction(const struct trap *t, uint8_t bytes[15])
{
    return 15 - trap_copy(bytes, (const void *)trap_rip(t), 15);
}

/* ---- Building the trap ----------------------------------------------------------------------------------------- */

static void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof(value));
}

/* What Windows shows in the segment registers; ours are Linux' user ones and tell nothing. */
static void put_segments(uint8_t *at, bool user)
{
    const uint16_t segments[6] = {user ? 0x33 : 0x10, 0x2b, 0x2b, 0x53, 0x2b, user ? 0x2b : 0x18};

    for (int i = 0; i < 6; i++)
        put16(at + 2 * i, segments[i]);
}

static void fill_context(uint8_t *context, const struct trap *t)
{
    static const uint8_t order[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                      REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};
    uint64_t flags = (uint64_t)t->reg[REG_EFL] & ~TRAP_FLAG_INTERRUPT;

    memset(context, 0, 0x4d0);
    put32(context + CONTEXT_FLAGS, CONTEXT_AMD64_FULL);
    put32(context + CONTEXT_MXCSR, t->uc->uc_mcontext.fpregs->mxcsr);
    put_segments(context + CONTEXT_SEGMENTS, trap_rip(t) < DOOR_USER_END);
    put32(context + CONTEXT_EFLAGS, (uint32_t)(flags | (*trap_interrupt_flag(t) ? TRAP_FLAG_INTERRUPT : 0)));
    for (int i = 0; i < 16; i++)
        put64(context + CONTEXT_RAX + 8 * i, (uint64_t)t->reg[order[i]]);
    put64(context + CONTEXT_RIP, trap_rip(t));
    memcpy(context + CONTEXT_FLOAT, t->uc->uc_mcontext.fpregs, 416);
}

static uint32_t xsave_bytes(const struct trap *t, uint64_t *mask)
{
    struct xsave_note note;

    memcpy(&note, (const uint8_t *)t->uc->uc_mcontext.fpregs + 464, sizeof(note));
    *mask = note.magic == FP_XSTATE_MAGIC ? note.features : 3;
    return note.magic == FP_XSTATE_MAGIC ? note.bytes : 512;
}

/* Top of the room for a trap of `bytes`: the interrupted stack if it has so much, else the emergency stack. */
static uint64_t choose_stack(const struct trap *t, uint64_t bytes)
{
    uint64_t rsp = (uint64_t)t->reg[REG_RSP] - RED_ZONE;
    uint64_t emergency;

    if (stacks_prepare(rsp - bytes, rsp))
        return rsp;
    emergency = stacks_emergency();
    if (rsp <= emergency && rsp > emergency - DOOR_STACK_SLOT)
        machine_wrecked("traps without end", trap_rip(t), (uint64_t)t->info->si_addr);
    return emergency;
}

void trap_deliver(struct trap *t, uint32_t vector, uint32_t error, uint64_t address)
{
    uint64_t mask, top, xstate;
    uint32_t bytes = xsave_bytes(t, &mask);
    struct door_trap *trap;

    watchdog_cancel(t);
    if (!machine.door.up || !machine.door.up->trap)
        machine_internal("trap %u at %X, address %X, before the kernel can take it", vector, trap_rip(t), address);
    top = choose_stack(t, bytes + sizeof(*trap) + 256);
    xstate = (top - bytes) & -64ull;
    trap = (struct door_trap *)((xstate - sizeof(*trap)) & -16ull);
    memcpy((void *)xstate, t->uc->uc_mcontext.fpregs, bytes);
    trap->vector = vector;
    trap->error = error;
    trap->address = address;
    trap->xstate = bytes > 512 ? xstate : 0;
    trap->xstate_mask = mask;
    fill_context(trap->context, t);

    t->reg[REG_RSP] = (greg_t)((uint64_t)trap - HOME_SPACE - 8);
    *(uint64_t *)t->reg[REG_RSP] = trap_rip(t);
    t->reg[REG_RCX] = (greg_t)trap;
    t->reg[REG_RIP] = (greg_t)machine.door.up->trap;
    t->reg[REG_EFL] &= ~(greg_t)(TRAP_FLAG_STEP | TRAP_FLAG_DIRECTION | TRAP_FLAG_NESTED | TRAP_FLAG_ALIGN);
    machine.in_door = false;
}

/* ---- Deciding -------------------------------------------------------------------------------------------------- */

static bool same_stack(uint64_t rsp, uint64_t address)
{
    return (rsp - 1) / DOOR_STACK_SLOT == address / DOOR_STACK_SLOT ||
           rsp / DOOR_STACK_SLOT == address / DOOR_STACK_SLOT;
}

/* A fault in the guard of the stack in use. True: dealt with. */
static bool stack_fault(struct trap *t, uint64_t address, uint32_t error)
{
    enum stacks_fault what;

    if (!same_stack((uint64_t)t->reg[REG_RSP], address))
        return false;
    what = stacks_fault(address);
    if (what == STACKS_NOT)
        return false;
    if (what == STACKS_BOTTOM || images_owner(trap_rip(t)) == IMAGES_DRIVER)
        trap_deliver(t, DOOR_TRAP_STACK_OVERFLOW, error, address);
    return true;
}

static void page_fault(struct trap *t)
{
    uint64_t address = (uint64_t)t->reg[REG_CR2];
    uint32_t error = (uint32_t)t->reg[REG_ERR] & (1 | 2 | 16);

    if (t->info->si_signo == SIGBUS)
        machine_internal("the host has no memory for the machine's RAM (address %X)", address, 0, 0);
    if (stack_fault(t, address, error))
        return;
    if (register_fault(t, address))
        return;
    if (address - UPPER_SHARED_DATA < DOOR_PAGE && !(error & (2 | 16)) && shared_load(t, address))
        return;
    trap_deliver(t, DOOR_TRAP_PAGE_FAULT, error, address);
}

static void protection_fault(struct trap *t)
{
    if (marker_emulate(t) || emulate_privileged(t))
        return;
    trap_deliver(t, DOOR_TRAP_PROTECTION, (uint32_t)t->reg[REG_ERR], emulate_bad_address(t));
}

static void invalid_opcode(struct trap *t)
{
    uint8_t bytes[15];
    size_t n = trap_instruction(t, bytes);

    if (n >= 2 && bytes[0] == 0x0f && bytes[1] == 0x34) /* sysenter: not there in long mode on some processors */
        trap_deliver(t, DOOR_TRAP_SYSTEM_CALL, 0, (uint64_t)t->reg[REG_RAX]);
    else
        trap_deliver(t, DOOR_TRAP_INVALID_OPCODE, 0, 0);
}

/* The host's filter refused a system call. */
static void system_call(struct trap *t)
{
    if (machine.in_door && trap_rip(t) == (uint64_t)sandbox_syscall_end)
        machine_wrecked("the sandbox refused a system call of the machine's own", trap_rip(t),
                        (uint64_t)t->info->si_syscall);
    t->reg[REG_RIP] -= 2;
    trap_deliver(t, DOOR_TRAP_SYSTEM_CALL, 0, (uint64_t)t->info->si_syscall);
}

static void breakpoint_or_step(struct trap *t)
{
    uint8_t before = 0;

    if (shared_finish(t) || register_finish(t) || watchdog_step(t))
        return;
    if (t->reg[REG_TRAPNO] == 3) {
        if (trap_read(&before, trap_rip(t) - 1, 1) && before == 0xcc)
            t->reg[REG_RIP] -= 1;
        trap_deliver(t, DOOR_TRAP_BREAKPOINT, 0, 0);
    } else {
        trap_deliver(t, DOOR_TRAP_DEBUG, 0, 0);
    }
}

static void decide(struct trap *t)
{
    switch (t->reg[REG_TRAPNO]) {
    case 0:
        trap_deliver(t, DOOR_TRAP_DIVIDE, 0, 0);
        break;
    case 6:
        invalid_opcode(t);
        break;
    case 12: /* a stack access with an address that is not canonical */
        trap_deliver(t, DOOR_TRAP_PROTECTION, (uint32_t)t->reg[REG_ERR], emulate_bad_address(t));
        break;
    case 14:
        page_fault(t);
        break;
    case 17: /* ring 0 is never checked for alignment */
        if (trap_rip(t) >= DOOR_USER_END) {
            t->reg[REG_EFL] &= ~(greg_t)TRAP_FLAG_ALIGN;
            break;
        }
        trap_deliver(t, DOOR_TRAP_ALIGNMENT, 0, 0);
        break;
    case 16:
    case 19:
        trap_deliver(t, (uint32_t)t->reg[REG_TRAPNO], 0, 0);
        break;
    default:
        protection_fault(t);
    }
}

/* ---- Signals --------------------------------------------------------------------------------------------------- */

uint8_t *trap_area(void)
{
    uint64_t area = machine.area;

    if (machine.door.fsgsbase)
        __asm__ volatile("rdgsbase %0" : "=r"(area));
    if (area < DOOR_PROCESSOR_BASE || (area - DOOR_PROCESSOR_BASE) % DOOR_PROCESSOR_BYTES ||
        (area - DOOR_PROCESSOR_BASE) / DOOR_PROCESSOR_BYTES >= machine.door.processors) {
        area = machine.area;
        machine.door.processor_select(area);
    }
    machine.area = area;
    return (uint8_t *)area;
}

/* Faults that are not the machine's. */
static void check_own_fault(const struct trap *t)
{
    uint64_t rip = trap_rip(t), address = (uint64_t)t->reg[REG_CR2];
    bool in_memory = t->reg[REG_TRAPNO] == 14 && address >= DOOR_USER_BASE && address < DOOR_KERNEL_END;

    if (!machine.running || (machine.in_door && rip >= DOOR_KERNEL_END && !in_memory && t->reg[REG_TRAPNO] != 13))
        machine_wrecked("a fault in the host's part of the machine", rip, (uint64_t)t->reg[REG_CR2]);
}

static void on_signal(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    struct trap t = {.uc = uc, .reg = uc->uc_mcontext.gregs, .info = info};

    if (handling) {
        if (trap_rip(&t) != (uint64_t)trap_copy_instruction)
            machine_wrecked("a fault in the handling of a fault", trap_rip(&t), (uint64_t)t.reg[REG_CR2]);
        t.reg[REG_RIP] = (greg_t)trap_copy_failed;
        return;
    }
    handling = true;
    if (info->si_code <= 0)
        machine_internal("signal %u was sent from outside", (uint64_t)number, 0, 0);
    if (number == SIGPROF) {
        if (machine.running) {
            t.area = trap_area();
            watchdog_tick(&t);
        }
    } else {
        if (number != SIGSYS && number != SIGTRAP)
            check_own_fault(&t);
        t.area = trap_area();
        if (number != SIGTRAP) {
            shared_cancel(&t);
            register_cancel(&t);
        }
        if (number == SIGSYS)
            system_call(&t);
        else if (number == SIGTRAP)
            breakpoint_or_step(&t);
        else
            decide(&t);
    }
    handling = false;
}

struct kernel_sigaction {
    void *handler;
    unsigned long flags;
    void (*restorer)(void);
    uint64_t mask;
};

/* glibc would put its own restorer there, from which the sandbox allows nothing. */
void trap_install(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGPROF};
    stack_t stack = {.ss_sp = alternate_stack, .ss_size = sizeof(alternate_stack)};
    struct kernel_sigaction action = {
        .handler = on_signal,
        .flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER | SA_RESTART | KERNEL_SA_RESTORER,
        .restorer = sandbox_restorer,
        .mask = 1ull << (SIGPROF - 1),
    };

    if (sigaltstack(&stack, NULL) < 0)
        machine_internal("no alternate stack", 0, 0, 0);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
        if (syscall(SYS_rt_sigaction, numbers[i], &action, NULL, sizeof(action.mask)) < 0)
            machine_internal("no handler for signal %u", (uint64_t)numbers[i], 0, 0);
}
