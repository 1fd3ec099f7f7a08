/*
 * The test card: a PCI device for trying out drivers' interrupt and DMA code. Its registers are described in
 * docs/devices.md; accesses of 4 bytes, the two addresses also of 8.
 *
 * Two sources of interrupts: the end of a DMA transfer (message 0) and the counter (message 1). Without MSI both drive
 * INTA until their status bits are cleared; the line is shared by the cards.
 */
#include "devices/state.h"

#include <string.h>

/* 100 ns */
enum { DMA_TIME = 50, DMA_BYTES_PER_UNIT = 128 };

enum {
    ID = 0x00,
    CONTROL = 0x04,
    STATUS = 0x08,
    TICKS = 0x0c,
    PERIOD = 0x10,
    SCRATCH = 0x14,
    SOURCE = 0x18,
    DESTINATION = 0x20,
    LENGTH = 0x28,
    COMMAND = 0x2c,
    DOORBELL = 0x30,
    RESULT = 0x34,
    FIFO = 0x38,
    PLAIN = 0x40,
    END = 0x80
};
enum {
    CONTROL_DMA_INTERRUPT = 1,
    CONTROL_COUNT = 2,
    CONTROL_COUNT_INTERRUPT = 4,
    CONTROL_BITS = 7,
    CONTROL_RESET = 0x80000000
};
enum { STATUS_DMA = 1, STATUS_DMA_FAILED = 2, STATUS_TICK = 4, STATUS_BUSY = 0x80000000 };
enum { COMMAND_COPY, COMMAND_FILL, COMMAND_SUM };
enum { IDENTITY = 0x42414c49, LARGEST = 1 << 20 };

void card_reset(void)
{
    for (unsigned i = 0; i < DEVICES_CARDS; i++) {
        memset(&devices.card[i], 0, sizeof(devices.card[i]));
        devices.card[i].dma_due = devices.card[i].tick_due = DEVICES_NEVER;
    }
}

static uint32_t asking(const struct card *c)
{
    return (c->control & CONTROL_DMA_INTERRUPT ? c->status & (STATUS_DMA | STATUS_DMA_FAILED) : 0) |
           (c->control & CONTROL_COUNT_INTERRUPT ? c->status & STATUS_TICK : 0);
}

bool card_line(unsigned card)
{
    return !pci_msi_enabled(card) && !(pci_command(PCI_CARD + card) & PCI_COMMAND_NO_INTX) &&
           asking(&devices.card[card]);
}

/* Status bits come up; each new one that is enabled is a message. */
static void set_status(unsigned card, uint32_t bits)
{
    struct card *c = &devices.card[card];
    uint32_t before = asking(c), new;

    c->status |= bits;
    new = asking(c) & ~before;
    if (new &(STATUS_DMA | STATUS_DMA_FAILED))
        pci_msi_send(card, 0);
    if (new &STATUS_TICK)
        pci_msi_send(card, 1);
}

/* ---- DMA --------------------------------------------------------------------------------------------------------- */

static bool move_part(struct card *c, uint64_t done, uint32_t bytes)
{
    uint8_t part[4096];

    if (c->command == COMMAND_FILL) {
        for (uint32_t i = 0; i < bytes; i++)
            part[i] = (uint8_t)(c->scratch >> 8 * ((done + i) & 3));
    } else if (!devices_host->dma(c->source + done, part, bytes, false)) {
        return false;
    }
    if (c->command == COMMAND_SUM) {
        for (uint32_t i = 0; i < bytes; i++)
            c->result += part[i];
        return true;
    }
    return devices_host->dma(c->destination + done, part, bytes, true);
}

static void finish_dma(unsigned card)
{
    struct card *c = &devices.card[card];
    bool good = pci_command(PCI_CARD + card) & PCI_COMMAND_MASTER && c->command <= COMMAND_SUM;

    c->dma_due = DEVICES_NEVER;
    c->result = 0;
    for (uint64_t done = 0; good && done < c->length; done += 4096)
        good = move_part(c, done, c->length - done < 4096 ? (uint32_t)(c->length - done) : 4096);
    c->status &= ~(uint32_t)STATUS_BUSY;
    set_status(card, good ? STATUS_DMA : STATUS_DMA_FAILED);
}

void card_run(uint64_t now)
{
    for (unsigned i = 0; i < DEVICES_CARDS; i++) {
        struct card *c = &devices.card[i];

        if (c->dma_due <= now)
            finish_dma(i);
        if (c->tick_due <= now) {
            c->ticks++;
            c->tick_due += (uint64_t)c->period * 10;
            set_status(i, STATUS_TICK);
        }
    }
}

/* ---- Registers --------------------------------------------------------------------------------------------------- */

static void write_control(unsigned card, uint32_t value)
{
    struct card *c = &devices.card[card];
    uint32_t before = asking(c);

    if (value & (uint32_t)CONTROL_RESET) {
        memset(c, 0, sizeof(*c));
        c->dma_due = c->tick_due = DEVICES_NEVER;
        return;
    }
    if (!(value & CONTROL_COUNT) || !c->period)
        c->tick_due = DEVICES_NEVER;
    else if (c->tick_due == DEVICES_NEVER)
        c->tick_due = devices_host->now() + (uint64_t)c->period * 10;
    c->control = value & CONTROL_BITS;
    if (asking(c) & ~before & (STATUS_DMA | STATUS_DMA_FAILED))
        pci_msi_send(card, 0);
    if (asking(c) & ~before & STATUS_TICK)
        pci_msi_send(card, 1);
}

static void ring(struct card *c, uint32_t value)
{
    if (!(value & 1) || c->status & (uint32_t)STATUS_BUSY || c->length > LARGEST)
        return;
    c->status = (c->status & STATUS_TICK) | (uint32_t)STATUS_BUSY;
    c->dma_due = devices_host->now() + DMA_TIME + c->length / DMA_BYTES_PER_UNIT;
}

static void write_long(unsigned card, uint32_t offset, uint32_t value)
{
    struct card *c = &devices.card[card];

    switch (offset) {
    case CONTROL:
        write_control(card, value);
        break;
    case STATUS:
        c->status &= ~(value & (STATUS_DMA | STATUS_DMA_FAILED | STATUS_TICK));
        break;
    case PERIOD:
        c->period = value;
        break;
    case SCRATCH:
        c->scratch = value;
        break;
    case SOURCE:
        c->source = (c->source & ~0xffffffffull) | value;
        break;
    case SOURCE + 4:
        c->source = (uint32_t)c->source | (uint64_t)value << 32;
        break;
    case DESTINATION:
        c->destination = (c->destination & ~0xffffffffull) | value;
        break;
    case DESTINATION + 4:
        c->destination = (uint32_t)c->destination | (uint64_t)value << 32;
        break;
    case LENGTH:
        c->length = value;
        break;
    case COMMAND:
        c->command = value;
        break;
    case DOORBELL:
        ring(c, value);
        break;
    }
}

static uint32_t read_long(struct card *c, uint32_t offset)
{
    switch (offset) {
    case ID:
        return IDENTITY;
    case CONTROL:
        return c->control;
    case STATUS:
        return c->status;
    case TICKS:
        return c->ticks;
    case PERIOD:
        return c->period;
    case SCRATCH:
        return c->scratch;
    case SOURCE:
    case SOURCE + 4:
        return (uint32_t)(c->source >> 8 * (offset - SOURCE));
    case DESTINATION:
    case DESTINATION + 4:
        return (uint32_t)(c->destination >> 8 * (offset - DESTINATION));
    case LENGTH:
        return c->length;
    case COMMAND:
        return c->command;
    case RESULT:
        return c->result;
    case FIFO:
        return c->fifo++;
    default:
        return 0;
    }
}

uint64_t card_register(unsigned card, uint32_t offset, uint32_t bytes, bool write, uint64_t value)
{
    struct card *c = &devices.card[card];
    uint64_t answer = 0;

    if (offset >= PLAIN && offset + bytes <= END) { /* any size, as memory */
        uint8_t *at = (uint8_t *)c->plain + (offset - PLAIN);
        if (write)
            memcpy(at, &value, bytes);
        else
            memcpy(&answer, at, bytes);
        return answer;
    }
    if (offset % bytes || bytes < 4)
        return 0;
    for (uint32_t i = 0; i < bytes; i += 4) {
        if (write)
            write_long(card, offset + i, (uint32_t)(value >> 8 * i));
        else
            answer |= (uint64_t)read_long(c, offset + i) << 8 * i;
    }
    return answer;
}
