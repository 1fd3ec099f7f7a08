/*
 * A boot driver judges those that are started after it, and is told of the start's beginning and end. (docs:
 * IoRegisterBootDriverCallback, IoGetBootDiskInformation)
 *
 * OPTIONS: --registry tests/callbacks/early.reg
 * ALSO: early_good early_bad
 * STATUS: 1
 * EXPECT: prepare 0
 * EXPECT: prepare 1
 * EXPECT: image .*early_good\.sys, .*early_good
 * EXPECT: early_good\.sys starts
 * EXPECT: image .*early_bad\.sys, .*early_bad
 * EXPECT: early_bad\.sys is not started
 * EXPECT: prepare 2
 * EXPECT: 10 checks, 0 failures
 */
#include "../io/test.h"

static PVOID Handle, Other;
static ULONG Images;

static BOOLEAN EndsWith(PUNICODE_STRING Text, PCWSTR End)
{
    USHORT Bytes = (USHORT)(wcslen(End) * sizeof(WCHAR));

    return Text->Length >= Bytes && RtlEqualMemory((PUCHAR)Text->Buffer + Text->Length - Bytes, End, Bytes);
}

static VOID NTAPI Callback(PVOID Context, BDCB_CALLBACK_TYPE Type, PBDCB_IMAGE_INFORMATION Image)
{
    if (Context != &Images)
        return;
    if (Type == BdCbStatusUpdate) {
        DbgPrint("prepare %u\n", ((PBDCB_STATUS_UPDATE_CONTEXT)(PVOID)Image)->StatusType);
        return;
    }
    CHECK(Image->Classification == BdCbClassificationUnknownImage);
    DbgPrint("image %wZ, %wZ\n", &Image->ImageName, &Image->RegistryPath);
    Image->Classification = EndsWith(&Image->RegistryPath, L"early_bad") ? BdCbClassificationKnownBadImage
                                                                         : BdCbClassificationKnownGoodImage;
    Images++;
}

static VOID boot_drivers_are_asked(VOID)
{
    BOOTDISK_INFORMATION_EX Disk;

    STATUS(IoGetBootDiskInformation((PVOID)&Disk, sizeof(BOOTDISK_INFORMATION) - 1), STATUS_INVALID_PARAMETER);
    OK(IoGetBootDiskInformation((PVOID)&Disk, sizeof(Disk)));
    CHECK(!IoRegisterBootDriverCallback(NULL, NULL));
    CHECK((Handle = IoRegisterBootDriverCallback(Callback, &Images)) != NULL);
    CHECK((Other = IoRegisterBootDriverCallback(Callback, NULL)) != NULL);
    IoUnregisterBootDriverCallback(Other);
}

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    BOOTDISK_INFORMATION Disk;

    IoUnregisterBootDriverCallback(Handle);
    CHECK(Images == 2);
    STATUS(IoGetBootDiskInformation(&Disk, sizeof(Disk)), STATUS_TOO_LATE);
    CHECK(!IoRegisterBootDriverCallback(Callback, NULL));
    DbgPrint("%u checks, %u failures\n", Checks, Failures);
}

static VOID the_rest_is_the_starts(VOID)
{
    Driver->DriverUnload = Unload;
}

TEST_MAIN(boot_drivers_are_asked, the_rest_is_the_starts)
