/*
 * The bus master half of the IDE function: it walks a table of physical regions in RAM and moves the disk's data there
 * or from there. (Programming Interface for Bus Master IDE Controller, 1.0)
 *
 * Ports from the base on, first channel: 0 command (1 start, 8 to memory), 2 status (1 active, 2 error, 4 interrupt;
 * the last two are cleared by writing them), 4 the table's address. An entry: address, 16-bit count (0 = 64 KiB), flags
 * (bit 15: last). There is nothing on the second channel.
 */
#include "devices/state.h"

#include <string.h>

enum { START = 1, TO_MEMORY = 8 };
enum { ACTIVE = 1, ERROR = 2, INTERRUPT = 4, CAPABLE = 0x60 };

static uint32_t read_register(uint32_t offset)
{
    const struct busmaster *b = &devices.busmaster;

    if (offset == 0)
        return b->command;
    if (offset == 2)
        return b->status;
    if (offset >= 4 && offset < 8)
        return b->table >> 8 * (offset - 4) & 0xff;
    return 0;
}

static void write_command(struct busmaster *b, uint8_t value)
{
    bool starts = value & START && !(b->command & START);

    b->command = value & (START | TO_MEMORY);
    if (starts) {
        b->status |= ACTIVE;
        b->next = b->table;
        b->left = 0;
        b->last = false;
        ata_dma_starts();
    } else if (!(value & START)) {
        b->status &= (uint8_t)~ACTIVE;
    }
}

static void write_register(uint32_t offset, uint8_t value)
{
    struct busmaster *b = &devices.busmaster;

    if (offset == 0) {
        write_command(b, value);
    } else if (offset == 2) {
        b->status = (uint8_t)((b->status & ~(value & (ERROR | INTERRUPT)) & ~CAPABLE) | (value & CAPABLE));
    } else if (offset >= 4 && offset < 8) {
        uint32_t shift = 8 * (offset - 4);
        b->table = (b->table & ~(0xffu << shift)) | (uint32_t)value << shift;
        b->table &= ~3u;
    }
}

uint32_t busmaster_port(uint32_t offset, uint32_t bytes, bool write, uint32_t value)
{
    uint32_t answer = 0;

    for (uint32_t i = 0; i < bytes; i++) {
        if (write)
            write_register(offset + i, (uint8_t)(value >> 8 * i));
        else
            answer |= read_register(offset + i) << 8 * i;
    }
    return answer;
}

bool busmaster_started(void)
{
    return devices.busmaster.status & ACTIVE;
}

static enum busmaster_result next_region(struct busmaster *b)
{
    uint32_t entry[2];

    if (b->last) {
        b->status &= (uint8_t)~ACTIVE; /* the table says less than the disk has */
        return BUSMASTER_STOPPED;
    }
    if (!devices_host->dma(b->next, entry, sizeof(entry), false))
        return BUSMASTER_FAILED;
    b->address = entry[0] & ~1u;
    b->left = entry[1] & 0xfffe ? entry[1] & 0xfffe : 0x10000;
    b->last = entry[1] >> 31;
    b->next += sizeof(entry);
    return BUSMASTER_DONE;
}

enum busmaster_result busmaster_move(void *buffer, uint32_t bytes, bool to_memory)
{
    struct busmaster *b = &devices.busmaster;
    enum busmaster_result result = BUSMASTER_DONE;
    uint8_t *at = buffer;

    if (!(b->command & TO_MEMORY) == to_memory || !(pci_command(PCI_IDE) & PCI_COMMAND_MASTER))
        result = BUSMASTER_FAILED;
    while (bytes && result == BUSMASTER_DONE) {
        uint32_t part = bytes < b->left ? bytes : b->left;

        if (!b->left) {
            result = next_region(b);
            continue;
        }
        if (!devices_host->dma(b->address, at, part, to_memory))
            result = BUSMASTER_FAILED;
        at += part;
        bytes -= part;
        b->address += part;
        b->left -= part;
    }
    if (result == BUSMASTER_FAILED)
        b->status = (uint8_t)((b->status & ~ACTIVE) | ERROR);
    return result;
}

/* All is moved. A table that says more than the disk had leaves the bus master active. */
void busmaster_end(void)
{
    if (devices.busmaster.last && !devices.busmaster.left)
        devices.busmaster.status &= (uint8_t)~ACTIVE;
}

void busmaster_interrupt(void)
{
    devices.busmaster.status |= INTERRUPT;
}
