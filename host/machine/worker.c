/*
 * The worker's life: attach to the channel, build the machine, lock the doors to the host, enter the kernel.
 */
#define _GNU_SOURCE
#include "machine/worker.h"

#include "machine/machine.h"
#include "machine/trap.h"
#include "sandbox/sandbox.h"

static void lock_in(void)
{
    const struct sandbox_rules rules = {
        .wake = CHANNEL_FD_WAKE,
        .ram = CHANNEL_FD_RAM,
        .high = DOOR_KERNEL_END,
        .guests = guests_board(),
        .files = CHANNEL_FD_FILES,
        .first = CHANNEL_FD_FIRST,
        .descriptors = CHANNEL_DESCRIPTORS,
        .shared = DOOR_LINEAR_BASE + DOOR_SHARE_PA,
        .shared_end = DOOR_LINEAR_BASE + DOOR_SHARE_PA + DOOR_SHARES * DOOR_SHARE_BYTES,
        .debugger = machine.debugger,
    };
    const char *failed = sandbox_enter(&rules);

    if (failed)
        machine_internal("no sandbox: %s", (uint64_t)failed, 0, 0);
}

int worker_main(void)
{
    if (!channel_attach())
        return 71;
    machine.watchdog_ms = channel->machine.watchdog_ms;
    machine.debugger = channel->machine.debugger;
    machine.snapshots = channel->machine.snapshots;
    door_fill();
    if (machine.snapshots)
        snapshot_prepare();
    images_boot();
    if (!memory_attach())
        machine_internal("no address space for RAM", 0, 0, 0);
    bus_reset();
    if (stacks_map(0, 1) != DOOR_OK)
        machine_internal("no memory for the first stack", 0, 0, 0);
    machine.door.processor_select(DOOR_PROCESSOR_BASE);
    trap_install();
    watchdog_start();
    lock_in();
    machine.running = true;
    entry_boot(DOOR_STACK_BASE + DOOR_STACK_SLOT, images_entry(), &machine.door);
}
