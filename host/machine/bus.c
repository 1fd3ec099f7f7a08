/*
 * The devices as the machine sees them: time, RAM and disk for them, and what an access costs.
 *
 * An access to a port or a device register takes virtual time, so that a driver that asks a device again and again
 * comes to the moment at which the answer changes. What becomes due on the way happens before the access. Whether the
 * kernel must then look for interrupts is said by the door's device_due, and now and then because of the time that has
 * passed.
 */
#define _GNU_SOURCE
#include "machine/machine.h"

#include <string.h>

#include "devices/state.h"

/* 100 ns */
#define PORT_TIME 5
#define REGISTER_TIME 1

#define ACCESSES 64 /* until the kernel looks at the clock */

static uint32_t accesses;

static __attribute__((constructor)) void keep(void)
{
    snapshot_register(&devices, sizeof(devices));
    snapshot_register(&accesses, sizeof(accesses));
}

static uint64_t host_now(void)
{
    return machine.door.now;
}

static bool host_dma(uint64_t physical, void *buffer, size_t bytes, bool to_memory)
{
    void *ram = memory_physical(physical, bytes);

    if (!ram)
        return false;
    if (to_memory)
        memcpy(ram, buffer, bytes);
    else
        memcpy(buffer, ram, bytes);
    return true;
}

static bool host_disk(uint64_t sector, void *buffer, bool write)
{
    channel->disk = !buffer ? CHANNEL_DISK_FLUSH : write ? CHANNEL_DISK_WRITE : CHANNEL_DISK_READ;
    channel->sector = sector;
    if (buffer && write)
        memcpy(channel->transfer, buffer, CHANNEL_SECTOR);
    channel_ask(CHANNEL_DISK);
    if (buffer && !write)
        memcpy(buffer, channel->transfer, CHANNEL_SECTOR);
    return channel->error == DOOR_OK;
}

static const struct devices_host host = {.now = host_now, .dma = host_dma, .disk = host_disk};

void bus_reset(void)
{
    devices_host = &host;
    devices_reset(channel->machine.disk_sectors, channel->machine.disk_read_only);
    machine.door.device_due = devices_next();
}

static void spend(uint64_t time)
{
    machine.door.now += time;
    accesses++;
}

uint32_t bus_port(uint32_t port, uint32_t bytes, bool write, uint32_t value)
{
    spend(PORT_TIME);
    devices_run(machine.door.now);
    value = devices_port(port, bytes, write, value);
    machine.door.device_due = devices_next();
    return value;
}

uint64_t bus_memory(uint64_t physical, uint32_t bytes, bool write, uint64_t value)
{
    spend(REGISTER_TIME);
    if (!machine.in_door) /* else a transfer with the supervisor may be under way */
        devices_run(machine.door.now);
    value = devices_memory(physical, bytes, write, value);
    machine.door.device_due = devices_next();
    return value;
}

void bus_run(struct door_interrupts *interrupts)
{
    devices_run(machine.door.now);
    devices_interrupts(interrupts);
    machine.door.device_due = devices_next();
}

bool bus_wants_kernel(void)
{
    return machine.door.device_due <= machine.door.now || accesses % ACCESSES == 0;
}
