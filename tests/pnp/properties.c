/*
 * Every property that IoGetDeviceProperty knows, of a device of the root enumerator: what it has, what it lacks, and how
 * much room it takes.
 *
 * OPTIONS: --registry tests/pnp/properties.reg
 */
#include "pnp.h"
#include "simple.h"
#include <devpropdef.h>

static UCHAR Room[512];

/* The bytes it needs; the status with enough room, and that less room is refused. */
static ULONG Ask(PDEVICE_OBJECT Pdo, DEVICE_REGISTRY_PROPERTY Which, NTSTATUS Want)
{
    ULONG Bytes = 0x5555, Again = 0;

    RtlZeroMemory(Room, sizeof(Room));
    STATUS(IoGetDeviceProperty(Pdo, Which, sizeof(Room), Room, &Bytes), Want);
    if (!NT_SUCCESS(Want)) {
        CHECK(Bytes == 0);
        return 0;
    }
    STATUS(IoGetDeviceProperty(Pdo, Which, Bytes - 1, Room + 256, &Again), STATUS_BUFFER_TOO_SMALL);
    CHECK(Again == Bytes);
    STATUS(IoGetDeviceProperty(Pdo, Which, 0, NULL, &Again), STATUS_BUFFER_TOO_SMALL);
    CHECK(Again == Bytes);
    return Bytes;
}

static BOOLEAN IsText(PDEVICE_OBJECT Pdo, DEVICE_REGISTRY_PROPERTY Which, PCWSTR Text)
{
    ULONG Bytes = Ask(Pdo, Which, STATUS_SUCCESS);

    return Bytes == (wcslen(Text) + 1) * sizeof(WCHAR) && !wcscmp((PCWSTR)Room, Text);
}

static BOOLEAN IsNumber(PDEVICE_OBJECT Pdo, DEVICE_REGISTRY_PROPERTY Which, ULONG Number)
{
    return Ask(Pdo, Which, STATUS_SUCCESS) == sizeof(ULONG) && *(PULONG)Room == Number;
}

static void Begin(PDEVICE_OBJECT Device)
{
    PDEVICE_OBJECT Pdo = Extension(Device)->pdo;
    UNICODE_STRING Name;
    PFILE_OBJECT File;
    PDEVICE_OBJECT Found;
    static const DEVPROPKEY ContainerKey = {
        {0x8c7ed206, 0x3f8a, 0x4827, {0xb3, 0xab, 0xae, 0x9e, 0x1f, 0xae, 0xfc, 0x6c}}, 2};
    GUID Container;
    DEVPROPTYPE Type;
    ULONG Bytes;

    CHECK(IsText(Pdo, DevicePropertyDeviceDescription, L"A device with properties"));
    CHECK(IsText(Pdo, DevicePropertyManufacturer, L"Somebody"));
    CHECK(IsText(Pdo, DevicePropertyFriendlyName, L"Friend"));
    CHECK(IsText(Pdo, DevicePropertyLocationInformation, L"Here"));
    CHECK(IsText(Pdo, DevicePropertyClassName, L"System"));
    CHECK(IsText(Pdo, DevicePropertyClassGuid, L"{4d36e97d-e325-11ce-bfc1-08002be10318}"));
    CHECK(IsText(Pdo, DevicePropertyDriverKeyName, L"{4d36e97d-e325-11ce-bfc1-08002be10318}\\0007"));
    CHECK(IsText(Pdo, DevicePropertyEnumeratorName, L"ROOT"));
    CHECK(Ask(Pdo, DevicePropertyHardwareID, STATUS_SUCCESS) > 4 && !wcscmp((PCWSTR)Room, L"ROOT\\PROPERTIES"));
    Ask(Pdo, DevicePropertyCompatibleIDs, STATUS_OBJECT_NAME_NOT_FOUND);
    Ask(Pdo, DevicePropertyBootConfiguration, STATUS_OBJECT_NAME_NOT_FOUND);
    Ask(Pdo, DevicePropertyBootConfigurationTranslated, STATUS_OBJECT_NAME_NOT_FOUND);
    Ask(Pdo, DevicePropertyAllocatedResources, STATUS_OBJECT_NAME_NOT_FOUND);
    Ask(Pdo, DevicePropertyResourceRequirements, STATUS_OBJECT_NAME_NOT_FOUND);
    Ask(Pdo, DevicePropertyAddress, STATUS_OBJECT_NAME_NOT_FOUND);
    Ask(Pdo, DevicePropertyUINumber, STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(Ask(Pdo, DevicePropertyBusTypeGuid, STATUS_SUCCESS) == sizeof(GUID));
    CHECK(IsNumber(Pdo, DevicePropertyLegacyBusType, Internal));
    CHECK(IsNumber(Pdo, DevicePropertyBusNumber, 0));
    CHECK(IsNumber(Pdo, DevicePropertyInstallState, InstallStateInstalled));
    CHECK(IsNumber(Pdo, DevicePropertyRemovalPolicy, RemovalPolicyExpectNoRemoval));
    CHECK(IsText(Pdo, DevicePropertyContainerID, L"{00000000-0000-0000-ffff-ffffffffffff}")); /* the computer's */
    OK(IoGetDevicePropertyData(Pdo, &ContainerKey, 0, 0, sizeof(Container), &Container, &Bytes, &Type));
    CHECK(Type == DEVPROP_TYPE_GUID && Container.Data4[0] == 0xff && Container.Data1 == 0);
    Ask(Pdo, (DEVICE_REGISTRY_PROPERTY)0x18, STATUS_INVALID_PARAMETER_2);
    CHECK(Ask(Pdo, DevicePropertyPhysicalDeviceObjectName, STATUS_SUCCESS) > 8);
    RtlInitUnicodeString(&Name, (PCWSTR)Room);
    OK(IoGetDeviceObjectPointer(&Name, FILE_READ_ATTRIBUTES, &File, &Found)); /* it is its name */
    CHECK(File->DeviceObject == Pdo);
    ObDereferenceObject(File);
}

static void Sum(void)
{
    SUM();
}

#define STARTED Begin
#define UNLOADING Sum
#include "simple_body.h"
