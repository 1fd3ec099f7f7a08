/* Says what is told of images in user processes. */
#include <ntifs.h>
#include <ntddk.h>

static VOID NTAPI OnImage(PUNICODE_STRING Name, HANDLE ProcessId, PIMAGE_INFO Info)
{
    PFILE_OBJECT File =
        Info->ExtendedInfoPresent ? CONTAINING_RECORD(Info, IMAGE_INFO_EX, ImageInfo)->FileObject : NULL;

    if (ProcessId && !Info->SystemModeImage)
        DbgPrint("image %wZ of %u at %I64x, %I64x bytes, %s, %s\n", Name, (ULONG)(ULONG_PTR)ProcessId,
                 (UINT64)Info->ImageBase, (UINT64)Info->ImageSize,
                 File && File->Type == 5 ? "with its file" : "without",
                 PsGetCurrentProcessId() == ProcessId ? "in it" : "elsewhere");
}

static VOID NTAPI Unload(PDRIVER_OBJECT Driver)
{
    PsRemoveLoadImageNotifyRoutine(OnImage);
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    Driver->DriverUnload = Unload;
    return PsSetLoadImageNotifyRoutine(OnImage);
}
