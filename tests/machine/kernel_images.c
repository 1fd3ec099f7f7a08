/* Driver images: opened, mapped, bound through the kernel, called, forgotten. */
#include "traps.h"

static struct door_image Image;
static struct door_up BindUp;
static unsigned Bound;
static uint64_t LastTarget;

int KernelAdd(int a, int b)
{
    return a + b;
}

__attribute__((naked)) static void PatchedCall(void)
{
    __asm__("retq");
}

static uint64_t DOOR_CALL Bind(const struct door_import *import)
{
    Bound++;
    LastTarget = import->target;
    Need(import->name && import->name[0] == 'K' && import->name[6] == 'A', "name of the import");
    Need(import->exporter == Door->image[0].base, "the exporter is the kernel");
    Door->processor_select(DOOR_PROCESSOR_BASE); /* the door may be called from here */
    return import->target;
}

static int Continue(struct door_trap *trap)
{
    return 1;
}

static void Markers(uint64_t va)
{
    unsigned (*cpuid)(unsigned, unsigned *) = (unsigned (*)(unsigned, unsigned *))Door->image_export(va, "DriverCpuid");
    uint64_t (*random)(uint8_t *) = (uint64_t(*)(uint8_t *))Door->image_export(va, "DriverRandom");
    unsigned (*tables)(uint8_t *) = (unsigned (*)(uint8_t *))Door->image_export(va, "DriverTables");
    uint64_t (*flags)(void) = (uint64_t(*)(void))Door->image_export(va, "DriverFlags");
    uint8_t valid = 0, table[10];
    unsigned b;

    Seen.count = 0;
    Hook = Continue;
    Need(cpuid(0, &b) == 0x16 && b == 0x756e6547, "cpuid");
    SayNumber("random", random(&valid));
    Need(valid == 1, "rdrand says that its number is good");
    Need(tables(table) == 0x80050033 && table[0] == 0xff && table[1] == 0x0f, "sidt, smsw");
    Need(Seen.count == 0, "none of them needed the kernel");
    Need(!(flags() & 0x200), "pushf shows the machine's interrupt flag");
    Hook = 0;
}

static void Load(const char *source, uint32_t from_volume)
{
    uint32_t id;
    uint64_t va = Door->image_next, bytes, pa = Door->ram_used;
    int (*sum)(int);

    Need(Door->image_open(source, from_volume, &id, &Image) == DOOR_OK && id && Image.status == 0, "open");
    bytes = (Image.bytes + Image.extra_bytes + DOOR_PAGE - 1) & ~(DOOR_PAGE - 1);
    Need(Door->map(va, pa, bytes, DOOR_READ | DOOR_WRITE) == DOOR_OK, "room");
    Need(Door->image_map(id, va, "driver.sys", &Image) == DOOR_OK, "map");
    Need(Bound == 1 && LastTarget == (uint64_t)KernelAdd, "bound");
    sum = (int (*)(int))Door->image_export(va, "DriverSum");
    Need(sum != 0 && (uint64_t)sum > va && sum(10) == 14, "call");
    Markers(va);
    Need(Door->image_export(0, "DriverSum") == 0, "drivers are not kernel modules");
    Need(Door->image_export(0, "KernelAdd") == (uint64_t)KernelAdd, "export of the kernel");
    Need(Door->image_forget(va) == DOOR_OK && Door->image_export(va, "DriverSum") == 0, "forget");
    Need(Door->image_forget(va) == DOOR_NOT_FOUND, "forget again");
    Need(Door->unmap(va, bytes) == DOOR_OK, "unmap");
    Bound = 0;
}

void TestMain(void)
{
    uint32_t id;

    TrapsInstall();
    BindUp = *Door->up;
    BindUp.bind = Bind;
    BindUp.write_cr8 = BindUp.enable_interrupts = BindUp.pause = (uint64_t)PatchedCall;
    Door->up = &BindUp;
    Need(Door->image_open("missing.sys", 0, &id, &Image) == DOOR_NOT_FOUND, "missing file");
    Need(Door->image_open("no/such.sys", 1, &id, &Image) == DOOR_NOT_FOUND, "missing file on the volume");
    Load("DRIVER.sys", 0);
    Load("Drivers/Driver.SYS", 1);
    Say("images");
}
