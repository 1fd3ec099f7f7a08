/*
 * The machine's address space: views of the RAM file, made and unmade by the kernel.
 *
 * Nothing is reserved beforehand: the host's own mappings all lie above DOOR_KERNEL_END, so what is not mapped in the
 * machine's ranges stays unmapped, and a touch there is a page fault.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <errno.h>
#include <linux/falloc.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "devices/devices.h"
#include "machine/extents.h"
#include "sandbox/syscall.h"

static void check_range(const char *what, uint64_t va, uint64_t bytes)
{
    if ((va | bytes) % DOOR_PAGE || !bytes || va < DOOR_USER_BASE || va >= DOOR_KERNEL_END ||
        bytes > DOOR_KERNEL_END - va)
        machine_internal("%s: bad range %X, %X bytes", (uint64_t)what, va, bytes);
}

static int protection_of(uint32_t protection)
{
    return (protection & DOOR_READ ? PROT_READ : 0) | (protection & DOOR_WRITE ? PROT_WRITE : 0) |
           (protection & DOOR_EXECUTE ? PROT_EXEC : 0);
}

static bool is_physical(uint64_t pa, uint64_t bytes)
{
    uint64_t ram = machine.door.ram_bytes;
    uint64_t stacks = DOOR_IMAGE_BASE - DOOR_STACK_BASE;

    if (pa % DOOR_PAGE)
        return false;
    if (pa >= DOOR_SHARE_PA)
        return share_file(&pa, bytes) >= 0;
    if (pa >= DOOR_STACK_PA)
        return pa - DOOR_STACK_PA < stacks && bytes <= stacks - (pa - DOOR_STACK_PA);
    return pa < ram && bytes <= ram - pa;
}

static int result(long error)
{
    return error == 0 ? DOOR_OK : error == -ENOMEM ? DOOR_NO_MEMORY : DOOR_IO;
}

static bool is_device(uint64_t pa, uint64_t bytes)
{
    return pa % DOOR_PAGE == 0 && pa - DOOR_DEVICE_PA < DOOR_DEVICE_BYTES &&
           bytes <= DOOR_DEVICE_BYTES - (pa - DOOR_DEVICE_PA);
}

/* Second views and windows into user memory are touched right away, and seldom in part: one call for all pages in place of a
 * fault for each. */
static int populated(uint64_t va)
{
    return va < DOOR_USER_END || (va >= DOOR_MAPPING_BASE && va < DOOR_PROCESSOR_BASE) ? MAP_POPULATE : 0;
}

int memory_map(uint64_t va, uint64_t pa, uint64_t bytes, uint32_t protection)
{
    int flags = MAP_SHARED | MAP_FIXED | populated(va), fd = CHANNEL_FD_RAM;
    uint64_t offset = pa;
    long at;

    check_range("map", va, bytes);
    /* The file has a page there, too, which is open only while one instruction is carried out: see register.c. */
    if (is_device(pa, bytes)) {
        if (!devices_map(va, pa, bytes))
            return DOOR_NO_MEMORY;
        protection = DOOR_NONE;
    } else if (!is_physical(pa, bytes)) {
        machine_internal("map: no physical memory at %X, %X bytes", pa, bytes, 0);
    }
    if (pa >= DOOR_SHARE_PA)
        fd = share_file(&offset, bytes);
    at = sandbox_syscall(SYS_mmap, (long)va, (long)bytes, protection_of(protection), flags, fd, (long)offset);
    if ((uint64_t)at == va && machine.snapshots)
        extents_map(va, pa, bytes, protection);
    return result((uint64_t)at == va ? 0 : at);
}

int memory_unmap(uint64_t va, uint64_t bytes)
{
    check_range("unmap", va, bytes);
    devices_unmap(va, bytes);
    if (machine.snapshots)
        extents_unmap(va, bytes);
    return result(sandbox_syscall(SYS_munmap, (long)va, (long)bytes, 0, 0, 0, 0));
}

int memory_protect(uint64_t va, uint64_t bytes, uint32_t protection)
{
    check_range("protect", va, bytes);
    if (machine.snapshots)
        extents_protect(va, bytes, protection);
    return result(sandbox_syscall(SYS_mprotect, (long)va, (long)bytes, protection_of(protection), 0, 0, 0));
}

int memory_discard(uint64_t pa, uint64_t bytes)
{
    long error;

    if (!bytes || bytes % DOOR_PAGE || pa >= DOOR_SHARE_PA || !is_physical(pa, bytes))
        machine_internal("discard: no physical memory at %X, %X bytes", pa, bytes, 0);
    error = sandbox_syscall(SYS_fallocate, CHANNEL_FD_RAM, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (long)pa,
                            (long)bytes, 0, 0);
    snapshot_given_back();
    if (!error && pa >= DOOR_STACK_PA)
        stacks_discarded(pa, bytes);
    return result(error);
}

/* ---- Physical memory for devices ---------------------------------------------------------------------------------- */

static uint8_t *ram; /* all of it, in the host's own part of the address space */

bool memory_attach(void)
{
    ram = mmap(NULL, machine.door.ram_bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, CHANNEL_FD_RAM, 0);
    return ram != MAP_FAILED;
}

void *memory_physical(uint64_t pa, uint64_t bytes)
{
    uint64_t end = machine.door.ram_bytes, at = pa;

    if (pa >= DOOR_SHARE_PA)
        return share_file(&at, bytes) >= 0 ? (void *)(DOOR_LINEAR_BASE + pa) : NULL;
    return pa < end && bytes <= end - pa ? ram + pa : NULL;
}
