/*
 * The state of all devices, in one object, and what the models ask of each other.
 */
#pragma once

#include "devices/devices.h"

enum { DEVICES_LINE_CARDS = 11, DEVICES_LINE_DISK = 14 };
enum { DEVICES_CARDS = 2, DEVICES_MESSAGES = 64, DEVICES_MAPPINGS = 64, ATA_SECTOR = 512 };

enum pci_function { PCI_HOST_BRIDGE, PCI_IDE, PCI_CARD, PCI_FUNCTIONS = PCI_CARD + DEVICES_CARDS };

struct pci {
    uint32_t address; /* CF8 */
    uint8_t config[PCI_FUNCTIONS][256];
    uint8_t writable[PCI_FUNCTIONS][256]; /* bits of config that a write changes */
};

enum ata_phase { ATA_IDLE, ATA_COMMAND, ATA_DATA_IN, ATA_DATA_OUT, ATA_DMA_WAITS, ATA_RESET };

struct ata {
    uint64_t sectors;
    bool present, read_only;
    /* Registers: [0] what was written last, [1] what was there before (48-bit commands use both). */
    uint8_t feature[2], count[2], low[2], middle[2], high[2];
    uint8_t select, control, status, error, command;
    bool interrupt; /* as the device drives it; nIEN cuts it off from the line */
    uint8_t transfer_mode;
    bool write_cache;
    enum ata_phase phase;
    uint64_t due;
    uint64_t sector; /* the next one */
    uint32_t left;   /* sectors still to be moved */
    uint32_t place;  /* byte of buffer */
    uint8_t buffer[ATA_SECTOR];
};

struct busmaster {
    uint8_t command, status;
    uint32_t table;               /* physical address of the descriptors */
    uint32_t next, address, left; /* the walk through them */
    bool last;
};

struct card {
    uint32_t control, status, period, scratch, length, command, result, fifo, ticks, plain[16];
    uint64_t source, destination;
    uint64_t dma_due, tick_due;
};

struct devices {
    struct pci pci;
    struct ata ata;
    struct busmaster busmaster;
    struct card card[DEVICES_CARDS];
    uint32_t lines, rose; /* asserted now; rising edges nobody was told of */
    bool changed;         /* since devices_interrupts */
    uint32_t messages;
    uint32_t message[DEVICES_MESSAGES];
    struct {
        uint64_t va, physical, bytes;
    } mapping[DEVICES_MAPPINGS];
};
extern struct devices devices;

/* devices.c: lines and messages after any change of a device's interrupt. */
void devices_update_lines(void);
void devices_send_message(uint64_t address, uint32_t data);

/* pci.c */
void pci_reset(void);
uint32_t pci_port(uint32_t port, uint32_t bytes, bool write, uint32_t value);
enum { PCI_COMMAND_IO = 1, PCI_COMMAND_MEMORY = 2, PCI_COMMAND_MASTER = 4, PCI_COMMAND_NO_INTX = 0x400 };
uint32_t pci_command(enum pci_function function);
uint64_t pci_card_base(unsigned card); /* of its registers */
uint32_t pci_busmaster_base(void);     /* of its ports */
bool pci_msi_enabled(unsigned card);
void pci_msi_send(unsigned card, unsigned number);

/* ata.c */
void ata_reset(uint64_t sectors, bool read_only);
uint32_t ata_port(uint32_t port, uint32_t bytes, bool write, uint32_t value); /* 1F0-1F7 as 0-7, 3F6 as 8 */
void ata_run(uint64_t now);
bool ata_line(void);
void ata_dma_starts(void); /* the bus master has been told to go */

/* busmaster.c */
uint32_t busmaster_port(uint32_t offset, uint32_t bytes, bool write, uint32_t value);
enum busmaster_result { BUSMASTER_DONE, BUSMASTER_STOPPED, BUSMASTER_FAILED };
bool busmaster_started(void);
enum busmaster_result busmaster_move(void *buffer, uint32_t bytes, bool to_memory);
void busmaster_end(void);       /* the disk has moved all it was told to */
void busmaster_interrupt(void); /* the disk raises its interrupt */

/* card.c */
void card_reset(void);
uint64_t card_register(unsigned card, uint32_t offset, uint32_t bytes, bool write, uint64_t value);
void card_run(uint64_t now);
bool card_line(unsigned card);
