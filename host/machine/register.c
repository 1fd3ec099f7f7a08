/*
 * Accesses to device memory. Its pages are mapped but closed, so each access faults and comes here.
 *
 * The page is opened, what the instruction will read is asked from the device and put there, the one instruction is
 * stepped, what it has written is given to the device, and the page is closed again. So any instruction works that
 * touches one place of device memory, with flags and all, and each access reaches the device exactly once. String
 * instructions step once for each element.
 *
 * Before a device is read, the instruction's other operands must be accessible: a fault after the read would run the
 * instruction again. An instruction that reads one device register and writes another (movs between them) does its read
 * and write within one step when both lie in one page; across pages it is a page fault, as is an operand across pages.
 */
#define _GNU_SOURCE
#include "machine/operand.h"

#include <string.h>

#include "devices/devices.h"

#define OPERANDS 2
#define WIDEST 64

static struct {
    bool active, stepping_before;
    uint64_t page;
    unsigned writes;
    struct {
        uint64_t address, physical;
        uint32_t bytes;
    } write[OPERANDS];
} step;

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(&step, sizeof(step));
}

/* Of a width that a device can be asked for. */
static uint32_t piece_of(uint64_t address, uint32_t bytes)
{
    uint32_t piece = bytes > 8 ? 8 : bytes;

    while (piece & (piece - 1))
        piece &= piece - 1;
    return address % piece && bytes > 8 ? 4 : piece;
}

static void read_device(uint8_t *to, uint64_t physical, uint32_t bytes)
{
    for (uint32_t done = 0, piece; done < bytes; done += piece) {
        uint64_t value;
        piece = piece_of(physical + done, bytes - done);
        value = bus_memory(physical + done, piece, false, 0);
        memcpy(to + done, &value, piece);
    }
}

static void write_device(uint64_t physical, const uint8_t *from, uint32_t bytes)
{
    for (uint32_t done = 0, piece; done < bytes; done += piece) {
        uint64_t value = 0;
        piece = piece_of(physical + done, bytes - done);
        memcpy(&value, from + done, piece);
        bus_memory(physical + done, piece, true, value);
    }
}

static bool is_memory(const ZydisDecodedOperand *o)
{
    return o->type == ZYDIS_OPERAND_TYPE_MEMORY && o->mem.type == ZYDIS_MEMOP_TYPE_MEM;
}

/* Ordinary memory that the instruction touches as well. False: its fault has been delivered instead. */
static bool others_accessible(struct trap *t, const struct operand_instruction *in)
{
    for (unsigned i = 0; i < in->i.operand_count; i++) {
        const ZydisDecodedOperand *o = &in->operand[i];
        uint64_t address, physical;
        uint8_t bytes[WIDEST];
        bool write = o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE;

        if (!is_memory(o))
            continue;
        address = operand_address(t, in, o);
        if (devices_physical(address, &physical))
            continue;
        if (!trap_read(bytes, address, o->size / 8) || (write && !trap_write(address, bytes, o->size / 8))) {
            trap_deliver(t, DOOR_TRAP_PAGE_FAULT, write ? 2 : 0, address);
            return false;
        }
    }
    return true;
}

/* All operands in the page at `page`: ask the device for those that are read, remember those that are written. */
static bool prepare(const struct trap *t, const struct operand_instruction *in, uint64_t page)
{
    uint8_t bytes[WIDEST];

    step.writes = 0;
    for (unsigned i = 0; i < in->i.operand_count; i++) {
        const ZydisDecodedOperand *o = &in->operand[i];
        uint64_t address, physical;

        if (!is_memory(o))
            continue;
        address = operand_address(t, in, o);
        if (!devices_physical(address, &physical))
            continue;
        if (address - page >= DOOR_PAGE)
            return false;
        if (o->size / 8 > WIDEST || address + o->size / 8 > page + DOOR_PAGE)
            return false;
        if (o->actions & ZYDIS_OPERAND_ACTION_MASK_READ) {
            read_device(bytes, physical, o->size / 8);
            memcpy((void *)address, bytes, o->size / 8);
        }
        if (o->actions & ZYDIS_OPERAND_ACTION_MASK_WRITE && step.writes < OPERANDS) {
            step.write[step.writes].address = address;
            step.write[step.writes].physical = physical;
            step.write[step.writes++].bytes = o->size / 8;
        }
    }
    return true;
}

static void close_page(struct trap *t)
{
    step.active = false;
    memory_protect(step.page, DOOR_PAGE, DOOR_NONE);
    if (!step.stepping_before)
        t->reg[REG_EFL] &= ~(greg_t)TRAP_FLAG_STEP;
}

bool register_fault(struct trap *t, uint64_t address)
{
    struct operand_instruction in;
    uint64_t physical;

    if (!devices_physical(address, &physical) || t->reg[REG_ERR] & 16 || !operand_decode(t, &in))
        return false;
    if (!others_accessible(t, &in))
        return true;
    step.page = address & ~(DOOR_PAGE - 1);
    memory_protect(step.page, DOOR_PAGE, DOOR_READ | DOOR_WRITE);
    step.stepping_before = t->reg[REG_EFL] & (greg_t)TRAP_FLAG_STEP;
    if (!prepare(t, &in, step.page)) {
        close_page(t);
        return false;
    }
    step.active = true;
    t->reg[REG_EFL] |= (greg_t)TRAP_FLAG_STEP;
    return true;
}

bool register_finish(struct trap *t)
{
    uint8_t bytes[OPERANDS][WIDEST];

    if (!step.active)
        return false;
    for (unsigned i = 0; i < step.writes; i++)
        memcpy(bytes[i], (void *)step.write[i].address, step.write[i].bytes);
    close_page(t);
    for (unsigned i = 0; i < step.writes; i++)
        write_device(step.write[i].physical, bytes[i], step.write[i].bytes);
    if (step.stepping_before)
        return false;
    if (!machine.in_door && images_owner(trap_rip(t)) == IMAGES_DRIVER && bus_wants_kernel())
        trap_deliver(t, DOOR_TRAP_DEVICE, 0, 0);
    return true;
}

void register_cancel(struct trap *t)
{
    if (step.active)
        close_page(t);
}
