/*
 * Image load notifications: of a driver that is loaded after this one, before it starts, at PASSIVE_LEVEL; statuses of
 * wrong registrations. (docs: PsSetLoadImageNotifyRoutine, PLOAD_IMAGE_NOTIFY_ROUTINE)
 * ALSO: loaded
 * EXPECT: checks, 0 failures
 * EXPECT: image \\SystemRoot\\System32\\drivers\\loaded.sys, process 0, system 1, level 0, 64-bit 1
 * EXPECT: loaded.sys starts
 * EXPECT: told of 1 image of the system
 */
#include "../io/test.h"

NTKERNELAPI NTSTATUS NTAPI PsSetLoadImageNotifyRoutineEx(PLOAD_IMAGE_NOTIFY_ROUTINE Routine, ULONG_PTR Flags);

static ULONG Images;

static VOID NTAPI OnImage(PUNICODE_STRING Name, HANDLE Process, PIMAGE_INFO Image)
{
    if (!Image->SystemModeImage)
        return;
    Images++;
    DbgPrint("image %wZ, process %u, system %u, level %u, 64-bit %u\n", Name, (ULONG)(ULONG_PTR)Process,
             Image->SystemModeImage, KeGetCurrentIrql(),
             *(PUSHORT)Image->ImageBase == 0x5a4d && Image->ImageSize && Image->ImageAddressingMode == 3);
}

static VOID NTAPI Unregister(PDRIVER_OBJECT DriverObject)
{
    PsRemoveLoadImageNotifyRoutine(OnImage);
    DbgPrint("told of %u image of the system\n", Images);
}

static VOID registrations_are_checked(VOID)
{
    STATUS(PsRemoveLoadImageNotifyRoutine(OnImage), STATUS_PROCEDURE_NOT_FOUND);
    STATUS(PsSetLoadImageNotifyRoutineEx(OnImage, 0x100), STATUS_INVALID_PARAMETER_2);
    OK(PsSetLoadImageNotifyRoutineEx(OnImage, 0));
    OK(PsRemoveLoadImageNotifyRoutine(OnImage));
    OK(PsSetLoadImageNotifyRoutine(NULL)); /* taken, and removed again */
    OK(PsRemoveLoadImageNotifyRoutine(NULL));
    STATUS(PsRemoveLoadImageNotifyRoutine(NULL), STATUS_PROCEDURE_NOT_FOUND);
    OK(PsSetLoadImageNotifyRoutine(OnImage));
    Driver->DriverUnload = Unregister;
}

TEST_MAIN(registrations_are_checked)
