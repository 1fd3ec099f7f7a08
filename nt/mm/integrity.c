/*
 * Callback routines of images that are signed for it.
 *
 * Windows takes some registrations (process creation with the power to deny, handles to processes) only from images
 * linked with /INTEGRITYCHECK. Drivers under test seldom are; the option --force-integrity makes the same demand here.
 * (docs: PsSetCreateProcessNotifyRoutineEx, ObRegisterCallbacks: STATUS_ACCESS_DENIED)
 */
#include "nt.h"

#ifndef IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY
#define IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY 0x0080
#endif

BOOLEAN MmVerifyCallbackFunction(PVOID Routine)
{
    PMI_IMAGE Image = MmImageOf((UINT64)Routine);
    if (!KiDoor->force_integrity)
        return TRUE;
    return Image && (!Image->Driver || (Image->Info.dll_characteristics & IMAGE_DLLCHARACTERISTICS_FORCE_INTEGRITY));
}
