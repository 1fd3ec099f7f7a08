/*
 * PCI bus 0: configuration mechanism 1 (the address in CF8, the data in CFC-CFF) and the configuration spaces of the
 * host bridge, the IDE function and the test cards. Layout and meaning as in the PCI Local Bus Specification 3.0.
 *
 * The firmware's part is done at power on: addresses are assigned, the IDE function is switched on. The test cards'
 * memory decoding is on, bus mastering is off, as a driver finds a device that is not needed for booting.
 */
#include "devices/state.h"

#include <string.h>

enum { VENDOR = 0x494c }; /* "IL", assigned to nobody */
enum { COMMAND = 0x04, BAR0 = 0x10, BAR1 = 0x14, BAR4 = 0x20, MSI = 0x50 };
enum { MSI_CONTROL = MSI + 2, MSI_ADDRESS = MSI + 4, MSI_DATA = MSI + 12, MSI_BYTES = 14 };
enum { MSI_ENABLE = 1, MSI_TWO_MESSAGES = 1 << 1, MSI_WIDE = 1 << 7 };
enum { BUSMASTER_PORTS = 0xc000 };

static const struct {
    uint16_t device;
    uint8_t class, subclass, interface, slot;
} functions[PCI_FUNCTIONS] = {
    [PCI_HOST_BRIDGE] = {0x0100, 0x06, 0x00, 0x00, 0},
    [PCI_IDE] = {0x0101, 0x01, 0x01, 0x80, 1}, /* compatibility mode, bus master */
    [PCI_CARD] = {0x0001, 0xff, 0x00, 0x00, 2},
    [PCI_CARD + 1] = {0x0001, 0xff, 0x00, 0x00, 3},
};

static void put(enum pci_function f, uint32_t offset, uint32_t bytes, uint64_t value, uint64_t writable)
{
    memcpy(devices.pci.config[f] + offset, &value, bytes);
    memcpy(devices.pci.writable[f] + offset, &writable, bytes);
}

static uint64_t get(enum pci_function f, uint32_t offset, uint32_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, devices.pci.config[f] + offset, bytes);
    return value;
}

static void reset_card(enum pci_function f)
{
    uint64_t base = DOOR_DEVICE_PA + (uint64_t)(f - PCI_CARD) * DOOR_PAGE;

    put(f, COMMAND, 2, PCI_COMMAND_MEMORY, PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_NO_INTX);
    put(f, 0x06, 2, 0x0010, 0);                  /* status: has capabilities */
    put(f, BAR0, 8, base | 4, ~(DOOR_PAGE - 1)); /* 64-bit memory */
    put(f, 0x34, 1, MSI, 0);
    put(f, 0x3c, 2, 1 << 8 | DEVICES_LINE_CARDS, 0xff); /* INTA, and the line it is wired to */
    put(f, MSI, 2, 5, 0);
    put(f, MSI_CONTROL, 2, MSI_WIDE | MSI_TWO_MESSAGES, MSI_ENABLE | 7 << 4);
    put(f, MSI_ADDRESS, 8, 0, ~3ull);
    put(f, MSI_DATA, 2, 0, 0xffff);
}

void pci_reset(void)
{
    for (enum pci_function f = 0; f < PCI_FUNCTIONS; f++) {
        put(f, 0x00, 2, VENDOR, 0);
        put(f, 0x02, 2, functions[f].device, 0);
        put(f, 0x08, 4,
            (uint32_t)functions[f].class << 24 | functions[f].subclass << 16 | functions[f].interface << 8 | 1, 0);
        put(f, 0x0c, 2, 0, 0xffff); /* cache line size, latency timer: kept for who asks */
        put(f, 0x2c, 4, VENDOR | (uint32_t)functions[f].device << 16, 0);
        if (f >= PCI_CARD)
            reset_card(f);
    }
    put(PCI_IDE, COMMAND, 2, PCI_COMMAND_IO | PCI_COMMAND_MASTER, PCI_COMMAND_IO | PCI_COMMAND_MASTER);
    put(PCI_IDE, BAR4, 4, BUSMASTER_PORTS | 1, 0xfff0);
}

/* ---- What the devices ask ---------------------------------------------------------------------------------------- */

uint32_t pci_command(enum pci_function f)
{
    return (uint32_t)get(f, COMMAND, 2);
}

uint64_t pci_card_base(unsigned card)
{
    return get(PCI_CARD + card, BAR0, 8) & ~(DOOR_PAGE - 1);
}

uint32_t pci_busmaster_base(void)
{
    return pci_command(PCI_IDE) & PCI_COMMAND_IO ? (uint32_t)get(PCI_IDE, BAR4, 4) & 0xfff0 : 0;
}

bool pci_msi_enabled(unsigned card)
{
    return get(PCI_CARD + card, MSI_CONTROL, 2) & MSI_ENABLE;
}

/* With one message allowed, number 0 stands for both. A message is a write, so bus mastering must be on. */
void pci_msi_send(unsigned card, unsigned number)
{
    enum pci_function f = PCI_CARD + card;
    uint32_t allowed = 1u << (get(f, MSI_CONTROL, 2) >> 4 & 7);

    if (!pci_msi_enabled(card) || !(pci_command(f) & PCI_COMMAND_MASTER))
        return;
    devices_send_message(get(f, MSI_ADDRESS, 8), (uint32_t)get(f, MSI_DATA, 2) | (allowed > number ? number : 0));
}

/* ---- Configuration accesses -------------------------------------------------------------------------------------- */

static uint32_t config_access(uint32_t offset, uint32_t bytes, bool write, uint32_t value)
{
    uint32_t address = devices.pci.address, answer = 0xffffffff;
    uint32_t place = (address & 0xfc) + offset;
    enum pci_function f = 0;

    while (f < PCI_FUNCTIONS && functions[f].slot != (address >> 11 & 31))
        f++;
    if (!(address >> 31) || address >> 16 & 0xff || address >> 8 & 7 || f == PCI_FUNCTIONS || offset + bytes > 4)
        return bytes >= 4 ? answer : answer >> (32 - 8 * bytes);
    for (uint32_t i = 0; write && i < bytes; i++) {
        uint8_t mask = devices.pci.writable[f][place + i];
        uint8_t *at = &devices.pci.config[f][place + i];
        *at = (uint8_t)((*at & ~mask) | (value >> 8 * i & mask));
    }
    return (uint32_t)get(f, place, bytes);
}

uint32_t pci_port(uint32_t port, uint32_t bytes, bool write, uint32_t value)
{
    if (port >= 0xcfc)
        return config_access(port - 0xcfc, bytes, write, value);
    if (port != 0xcf8 || bytes != 4)
        return bytes >= 4 ? 0xffffffff : 0xffffffff >> (32 - 8 * bytes);
    if (write)
        devices.pci.address = value & 0x80fffffc;
    return devices.pci.address;
}
