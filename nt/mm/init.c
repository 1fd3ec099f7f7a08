/*
 * Start of the memory manager: the linear view opened, the pageable view closed, the page database, the boot images.
 * The first code of the machine to run after the entry point; nothing is allocated before.
 */
#include "nt.h"
#include "mm/page.h"

PVOID MmSystemRangeStart = (PVOID)DOOR_KERNEL_BASE;
PVOID MmHighestUserAddress = (PVOID)(DOOR_USER_END - 1);
ULONG_PTR MmUserProbeAddress = DOOR_USER_END;
PVOID MmBadPointer = (PVOID)(DOOR_KERNEL_END - MI_WINDOW); /* docs: MM_BAD_POINTER: nothing is ever there */

VOID MmInitialize(VOID)
{
    if (KiDoor->map(DOOR_LINEAR_BASE, 0, KiDoor->ram_bytes, DOOR_READ | DOOR_WRITE) != DOOR_OK ||
        KiDoor->map(DOOR_PAGED_BASE, 0, KiDoor->ram_bytes, DOOR_NONE) != DOOR_OK)
        KiInternalError("RAM of %I64u bytes cannot be mapped", KiDoor->ram_bytes);
    MiInitializePages();
    MiInitializeImages();
}
