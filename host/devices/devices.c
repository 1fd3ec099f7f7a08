/*
 * The bus: which device answers an access, when the next thing happens, what interrupts there are. See devices.h.
 */
#include "devices/state.h"

#include <string.h>

struct devices devices;
const struct devices_host *devices_host;

void devices_reset(uint64_t sectors, bool read_only)
{
    memset(&devices, 0, sizeof(devices));
    pci_reset();
    ata_reset(sectors, read_only);
    card_reset();
}

/* ---- Interrupts -------------------------------------------------------------------------------------------------- */

static uint32_t lines_now(void)
{
    uint32_t lines = ata_line() ? 1u << DEVICES_LINE_DISK : 0;

    for (unsigned i = 0; i < DEVICES_CARDS; i++)
        if (card_line(i))
            lines |= 1u << DEVICES_LINE_CARDS; /* they share it */
    return lines;
}

void devices_update_lines(void)
{
    uint32_t lines = lines_now();

    if (lines == devices.lines)
        return;
    devices.rose |= lines & ~devices.lines;
    devices.lines = lines;
    devices.changed = true;
}

/* A write to the processors' interrupt range. A message that is still on its way is not sent twice. */
void devices_send_message(uint64_t address, uint32_t data)
{
    uint32_t message = (data & 0xff) | (uint32_t)(address >> 12 & 0xff) << 8;

    if (address >> 20 != 0xfee)
        return;
    for (uint32_t i = 0; i < devices.messages; i++)
        if (devices.message[i] == message)
            return;
    if (devices.messages < DEVICES_MESSAGES)
        devices.message[devices.messages++] = message;
    devices.changed = true;
}

void devices_interrupts(struct door_interrupts *out)
{
    uint32_t room = sizeof(out->message) / sizeof(out->message[0]);

    out->lines = devices.lines;
    out->rose = devices.rose;
    out->messages = devices.messages < room ? devices.messages : room;
    memcpy(out->message, devices.message, out->messages * sizeof(out->message[0]));
    devices.messages -= out->messages;
    memmove(devices.message, devices.message + out->messages, devices.messages * sizeof(devices.message[0]));
    devices.rose = 0;
    devices.changed = devices.messages != 0;
}

/* ---- Time -------------------------------------------------------------------------------------------------------- */

static uint64_t first_due(void)
{
    uint64_t first = devices.ata.due;

    for (unsigned i = 0; i < DEVICES_CARDS; i++) {
        if (devices.card[i].dma_due < first)
            first = devices.card[i].dma_due;
        if (devices.card[i].tick_due < first)
            first = devices.card[i].tick_due;
    }
    return first;
}

uint64_t devices_next(void)
{
    return devices.changed ? 0 : first_due();
}

void devices_run(uint64_t now)
{
    for (uint64_t due; (due = first_due()) <= now;) {
        ata_run(due);
        card_run(due);
        devices_update_lines();
    }
}

/* ---- Accesses ---------------------------------------------------------------------------------------------------- */

static uint32_t nobody(uint32_t bytes)
{
    return bytes >= 4 ? 0xffffffffu : (1u << 8 * bytes) - 1;
}

static uint32_t port_access(uint32_t port, uint32_t bytes, bool write, uint32_t value)
{
    uint32_t busmaster = pci_busmaster_base();

    if (port >= 0xcf8 && port < 0xd00)
        return pci_port(port, bytes, write, value);
    if (devices.ata.present && pci_command(PCI_IDE) & PCI_COMMAND_IO) {
        if (port >= 0x1f0 && port < 0x1f8)
            return ata_port(port - 0x1f0, bytes, write, value);
        if (port == 0x3f6)
            return ata_port(8, bytes, write, value);
    }
    if (busmaster && port - busmaster < 16)
        return busmaster_port(port - busmaster, bytes, write, value);
    return nobody(bytes);
}

uint32_t devices_port(uint32_t port, uint32_t bytes, bool write, uint32_t value)
{
    value = port_access(port & 0xffff, bytes, write, value);
    devices_update_lines();
    return value;
}

uint64_t devices_memory(uint64_t physical, uint32_t bytes, bool write, uint64_t value)
{
    uint64_t answer = bytes >= 8 ? ~0ull : (1ull << 8 * bytes) - 1;

    for (unsigned i = 0; i < DEVICES_CARDS; i++)
        if (pci_command(PCI_CARD + i) & PCI_COMMAND_MEMORY && physical - pci_card_base(i) < DOOR_PAGE)
            answer = card_register(i, (uint32_t)(physical - pci_card_base(i)), bytes, write, value);
    devices_update_lines();
    return answer;
}

/* ---- Mappings ---------------------------------------------------------------------------------------------------- */

bool devices_map(uint64_t va, uint64_t physical, uint64_t bytes)
{
    for (size_t i = 0; i < DEVICES_MAPPINGS; i++)
        if (!devices.mapping[i].bytes) {
            devices.mapping[i].va = va;
            devices.mapping[i].physical = physical;
            devices.mapping[i].bytes = bytes;
            return true;
        }
    return false;
}

/* Whole mappings: the kernel never takes away a part of one. */
void devices_unmap(uint64_t va, uint64_t bytes)
{
    for (size_t i = 0; i < DEVICES_MAPPINGS; i++)
        if (devices.mapping[i].bytes && devices.mapping[i].va - va < bytes)
            devices.mapping[i].bytes = 0;
}

bool devices_physical(uint64_t va, uint64_t *physical)
{
    for (size_t i = 0; i < DEVICES_MAPPINGS; i++)
        if (va - devices.mapping[i].va < devices.mapping[i].bytes) {
            *physical = devices.mapping[i].physical + (va - devices.mapping[i].va);
            return true;
        }
    return false;
}
