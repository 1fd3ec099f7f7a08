/* The machine as the kernel finds it, and memory calls. */
#include "kernel.h"

static volatile uint64_t Relocated = (uint64_t)&Relocated;

void TestMain(void)
{
    volatile uint32_t *linear, *again;
    uint64_t gs, pa = Door->ram_used;

    Need(Relocated == (uint64_t)&Relocated, "relocation");
    Need(Door->image_count == 3 && Door->image[0].base == DOOR_IMAGE_BASE, "image 0");
    Need(Door->image_export(0, "KiSystemStartup") != 0, "export of a kernel module");
    Need(Door->image_export(0, "NoSuchName") == 0, "export that does not exist");
    *(volatile uint64_t *)(DOOR_PROCESSOR_BASE + 0x18) = DOOR_PROCESSOR_BASE;
    __asm__ volatile("movq %%gs:0x18, %0" : "=r"(gs));
    Need(gs == DOOR_PROCESSOR_BASE, "GS is the area of processor 0");
    Need(Door->map(DOOR_LINEAR_BASE, 0, Door->ram_bytes, DOOR_READ | DOOR_WRITE) == DOOR_OK, "linear view");
    Need(Door->map(DOOR_PAGED_BASE, 0, Door->ram_bytes, DOOR_NONE) == DOOR_OK, "pageable view");
    Need(Door->protect(DOOR_PAGED_BASE + pa, 0x10000, DOOR_READ | DOOR_WRITE) == DOOR_OK, "window");
    linear = (uint32_t *)(DOOR_LINEAR_BASE + pa);
    again = (uint32_t *)(DOOR_PAGED_BASE + pa);
    *linear = 0x1234;
    Need(*again == 0x1234, "two views of one page");
    Need(Door->discard(pa, 0x1000) == DOOR_OK && *again == 0, "discarded page is zero");
    Need(Door->unmap(DOOR_PAGED_BASE, Door->ram_bytes) == DOOR_OK, "unmap");
    Need(Door->stacks(1, 1000) == DOOR_OK, "stacks");
    *(volatile uint64_t *)(DOOR_STACK_BASE + 1001 * DOOR_STACK_SLOT - DOOR_STACK_USABLE) = 1;
    SayNumber("image 0 at", Door->image[0].base);
    SayNumber("first free address", Door->image_next);
    Say("booted");
}
