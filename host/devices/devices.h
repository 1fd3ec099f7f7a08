/*
 * The devices of the machine: what lies behind its ports, its device memory and its interrupt lines.
 *
 *   00:00.0           host bridge
 *   00:01.0           IDE function: the bus master of the disk
 *   00:02.0, 00:03.0  two test cards: registers, DMA, a counter, MSI or line 11, which they share
 *   1F0-1F7, 3F6      an ATA disk when the run has one (--disk), interrupt line 14
 *
 * docs/devices.md describes them for driver writers.
 *
 * Time is the machine's. A device does by itself only what it has announced: devices_run does what is due, and its
 * latencies are constants, so a run is the same every time. The state of all devices is one static object without
 * pointers (state.h), to be copied for a snapshot.
 *
 * All of this runs in the worker, in a door call or in a signal handler: it allocates nothing and asks the host for
 * nothing but sectors of the disk (disk_move).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "door.h"

#define DEVICES_NEVER UINT64_MAX

/* Power on. sectors 0 = there is no disk. */
void devices_reset(uint64_t sectors, bool read_only);

/* An access of 1, 2 or 4 bytes; what no device answers reads as all ones. */
uint32_t devices_port(uint32_t port, uint32_t bytes, bool write, uint32_t value);
/* The same for device memory, up to 8 bytes at a physical address. */
uint64_t devices_memory(uint64_t physical, uint32_t bytes, bool write, uint64_t value);

/* When something will happen by itself, or interrupts have changed that nobody has been told of (0). */
uint64_t devices_next(void);
/* Let everything happen that is due by now. */
void devices_run(uint64_t now);
/* The interrupts since the last call. */
void devices_interrupts(struct door_interrupts *out);

/* Mappings of device memory in the machine's address space. False: too many. */
bool devices_map(uint64_t va, uint64_t physical, uint64_t bytes);
void devices_unmap(uint64_t va, uint64_t bytes);
/* The physical address behind an address; false = it is not one of device memory. */
bool devices_physical(uint64_t va, uint64_t *physical);

/* What the devices need from where they run. */
struct devices_host {
    uint64_t (*now)(void);
    /* Copy between RAM at a physical address and a buffer; false: there is no RAM (all) there. */
    bool (*dma)(uint64_t physical, void *buffer, size_t bytes, bool to_memory);
    /* Read or write one sector of the disk; flush: buffer is NULL. */
    bool (*disk)(uint64_t sector, void *buffer, bool write);
};
extern const struct devices_host *devices_host;
