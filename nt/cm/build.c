/*
 * The keys every machine has (docs: Registry Trees and Keys; HKLM\SYSTEM\CurrentControlSet\Services; Windows' version
 * values below SOFTWARE). What `irqlab run --registry` loads comes on top.
 */
#include "nt.h"
#include "cm/cmp.h"

PCM_KEY CmpRoot;
static PCM_KEY CmpServices;

static VOID CmpSetNamed(PCM_KEY Key, PCWSTR Name, ULONG Type, PVOID Data, ULONG Bytes)
{
    UNICODE_STRING Text;
    RtlInitUnicodeString(&Text, Name);
    CmpSetValue(Key, &Text, Type, Data, Bytes);
}

static VOID CmpSetText(PCM_KEY Key, PCWSTR Name, ULONG Type, PCSTR Data)
{
    WCHAR Text[128];
    ULONG Characters = RtlpFromUtf8(Text, RTL_NUMBER_OF(Text) - 1, Data);
    Text[Characters] = 0;
    CmpSetNamed(Key, Name, Type, Text, (Characters + 1) * sizeof(WCHAR));
}

static VOID CmpSetNumber(PCM_KEY Key, PCWSTR Name, ULONG Number)
{
    CmpSetNamed(Key, Name, REG_DWORD, &Number, sizeof(Number));
}

/* docs: CreateService: without a root the path is one below the system's directory. */
static VOID CmpImagePath(PCM_VALUE Value, PUNICODE_STRING Path)
{
    static const WCHAR System[] = L"\\SystemRoot\\";
    PWSTR Text = Value->Data;
    ULONG Bytes = Value->Bytes, Prefix = Bytes && Text[0] == L'\\' ? 0 : sizeof(System) - sizeof(WCHAR);
    while (Bytes >= sizeof(WCHAR) && !Text[Bytes / sizeof(WCHAR) - 1])
        Bytes -= sizeof(WCHAR);
    Path->Length = (USHORT)(Prefix + Bytes);
    Path->MaximumLength = Path->Length + sizeof(WCHAR);
    Path->Buffer = ExpAllocate(Path->MaximumLength, CM_TAG);
    RtlCopyMemory(Path->Buffer, System, Prefix);
    RtlCopyMemory((PUCHAR)Path->Buffer + Prefix, Text, Bytes);
    Path->Buffer[Path->Length / sizeof(WCHAR)] = 0;
}

/* As the service control manager does for a driver that is started on demand; what is there already stays. */
VOID CmpAddService(PCUNICODE_STRING Service, PCUNICODE_STRING ImagePath, PUNICODE_STRING Path)
{
    static const struct {
        PCWSTR Name;
        ULONG Number;
    } Numbers[] = {{L"Type", 1}, {L"Start", 3}, {L"ErrorControl", 1}};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"ImagePath");
    PCM_KEY Key = CmpFindKey(CmpServices, Service, NULL);
    if (!Key)
        Key = CmpMakeKey(CmpServices, Service, NULL);
    if (!CmpFindValue(Key, &Name, NULL)) {
        PWSTR Text = ExpAllocate(ImagePath->Length + sizeof(WCHAR), CM_TAG);
        RtlCopyMemory(Text, ImagePath->Buffer, ImagePath->Length);
        Text[ImagePath->Length / sizeof(WCHAR)] = 0;
        CmpSetValue(Key, &Name, REG_EXPAND_SZ, Text, ImagePath->Length + sizeof(WCHAR));
        ExpFree(Text);
    }
    CmpImagePath(CmpFindValue(Key, &Name, NULL), Path);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Numbers); i++) {
        RtlInitUnicodeString(&Name, Numbers[i].Name);
        if (!CmpFindValue(Key, &Name, NULL))
            CmpSetNumber(Key, Numbers[i].Name, Numbers[i].Number);
    }
    CmpMakePath(Key, L"Parameters");
}

/* A number of Key's; Usual when there is none. */
static ULONG CmpNumberOf(PCM_KEY Key, PCWSTR Name, ULONG Usual)
{
    UNICODE_STRING Text;
    RtlInitUnicodeString(&Text, Name);
    PCM_VALUE Value = Key ? CmpFindValue(Key, &Text, NULL) : NULL;
    return Value && Value->Type == REG_DWORD && Value->Bytes == sizeof(ULONG) ? *(PULONG)Value->Data : Usual;
}

ULONG CmpServiceNumber(PCUNICODE_STRING Service, PCWSTR Name, ULONG Usual)
{
    return CmpNumberOf(CmpFindKey(CmpServices, Service, NULL), Name, Usual);
}

ULONG CmpControlNumber(PCWSTR Below, PCWSTR Name, ULONG Usual)
{
    UNICODE_STRING Part = RTL_CONSTANT_STRING(L"Control");
    PCM_KEY Key = CmpFindKey(CmpServices->Parent, &Part, NULL);
    RtlInitUnicodeString(&Part, Below);
    return CmpNumberOf(Key ? CmpFindKey(Key, &Part, NULL) : NULL, Name, Usual);
}

static VOID CmpFillVersion(PCM_KEY Software)
{
    PCM_KEY Key = CmpMakePath(Software, L"Microsoft\\Windows NT\\CurrentVersion");
    CHAR Build[16];
    RtlpFormat(Build, sizeof(Build), "%u", KiDoor->os_build);
    CmpSetText(Key, L"CurrentBuild", REG_SZ, Build);
    CmpSetText(Key, L"CurrentBuildNumber", REG_SZ, Build);
    CmpSetText(Key, L"CurrentVersion", REG_SZ, "6.3");
    CmpSetText(Key, L"CurrentType", REG_SZ, "Multiprocessor Free");
    CmpSetNumber(Key, L"CurrentMajorVersionNumber", KiDoor->os_major);
    CmpSetNumber(Key, L"CurrentMinorVersionNumber", KiDoor->os_minor);
    CmpSetText(Key, L"SystemRoot", REG_SZ, "C:\\Windows");
    CmpSetText(Key, L"ProductName", REG_SZ, "irqlab");
    CmpSetText(Key, L"InstallationType", REG_SZ, "Client");
}

static VOID CmpFillSystem(PCM_KEY System)
{
    static const WCHAR Target[] = L"\\Registry\\Machine\\SYSTEM\\ControlSet001";
    static const struct {
        PCWSTR Name;
        PCSTR Data;
    } Environment[] = {{L"ComSpec", "%SystemRoot%\\system32\\cmd.exe"},
                       {L"OS", "Windows_NT"},
                       {L"PROCESSOR_ARCHITECTURE", "AMD64"},
                       {L"windir", "%SystemRoot%"},
                       {L"TEMP", "%SystemRoot%\\TEMP"},
                       {L"Path", "%SystemRoot%\\system32;%SystemRoot%"}};
    PCM_KEY Set = CmpMakePath(System, L"ControlSet001");
    PCM_KEY Key = CmpMakePath(Set, L"Control\\Session Manager\\Environment");
    for (ULONG i = 0; i < RTL_NUMBER_OF(Environment); i++)
        CmpSetText(Key, Environment[i].Name, REG_EXPAND_SZ, Environment[i].Data);
    CmpMakePath(Set, L"Control\\Class");
    CmpMakePath(Set, L"Control\\DeviceClasses");
    CmpSetText(CmpMakePath(Set, L"Control\\ComputerName\\ComputerName"), L"ComputerName", REG_SZ, "IRQLAB");
    CmpSetText(CmpMakePath(Set, L"Control\\ProductOptions"), L"ProductType", REG_SZ, "WinNT");
    CmpMakePath(Set, L"Enum\\Root");
    CmpMakePath(Set, L"Hardware Profiles");
    CmpServices = CmpMakePath(Set, L"Services");
    Key = CmpMakePath(System, L"CurrentControlSet");
    Key->Flags |= CM_LINK | CM_VOLATILE;
    CmpSetNamed(Key, L"SymbolicLinkValue", REG_LINK, (PVOID)Target, sizeof(Target) - sizeof(WCHAR));
    Key = CmpMakePath(System, L"Select");
    CmpSetNumber(Key, L"Current", 1);
    CmpSetNumber(Key, L"Default", 1);
    CmpSetNumber(Key, L"Failed", 0);
    CmpSetNumber(Key, L"LastKnownGood", 1);
    CmpMakePath(System, L"MountedDevices");
}

static VOID CmpFillHardware(PCM_KEY Hardware)
{
    PCM_KEY System = CmpMakePath(Hardware, L"DESCRIPTION\\System");
    CmpSetText(System, L"Identifier", REG_SZ, "AT/AT COMPATIBLE");
    for (ULONG i = 0; i < KiDoor->processors; i++) {
        WCHAR Path[32];
        CHAR Text[32];
        RtlpFormat(Text, sizeof(Text), "CentralProcessor\\%u", i);
        Path[RtlpFromUtf8(Path, RTL_NUMBER_OF(Path) - 1, Text)] = 0;
        PCM_KEY Key = CmpMakePath(System, Path);
        CmpSetText(Key, L"ProcessorNameString", REG_SZ, "irqlab virtual processor");
        CmpSetText(Key, L"Identifier", REG_SZ, "AMD64 Family 6 Model 0 Stepping 0");
        CmpSetText(Key, L"VendorIdentifier", REG_SZ, "irqlab");
    }
    CmpMakePath(Hardware, L"DEVICEMAP");
    CmpMakePath(Hardware, L"RESOURCEMAP");
}

PCM_KEY CmpBuildTree(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"REGISTRY");
    static const PCWSTR Hives[] = {L"MACHINE\\SYSTEM",   L"MACHINE\\SOFTWARE", L"MACHINE\\SAM",
                                   L"MACHINE\\SECURITY", L"USER\\.DEFAULT",    L"USER\\S-1-5-18"};
    CmpRoot = CmpMakeKey(NULL, &Name, NULL);
    CmpSetDefaultSecurity(CmpRoot, CmSecurityOpen);
    PCM_KEY Machine = CmpMakePath(CmpRoot, L"MACHINE"), User = CmpMakePath(CmpRoot, L"USER");
    CmpSetDefaultSecurity(Machine, CmSecurityOpen);
    CmpSetDefaultSecurity(User, CmSecurityOpen);
    for (ULONG i = 0; i < RTL_NUMBER_OF(Hives); i++) {
        PCM_KEY Hive = CmpMakePath(CmpRoot, Hives[i]);
        Hive->Flags |= CM_HIVE;
        CmpSetDefaultSecurity(Hive, CmSecurityHive);
    }
    CmpSetDefaultSecurity(CmpMakePath(Machine, L"SECURITY"), CmSecurityClosed);
    PCM_KEY Hardware = CmpMakePath(Machine, L"HARDWARE");
    Hardware->Flags |= CM_HIVE | CM_VOLATILE;
    CmpSetDefaultSecurity(Hardware, CmSecurityOpen);
    CmpAppRoot = CmpMakePath(CmpRoot, L"A");
    CmpSetDefaultSecurity(CmpAppRoot, CmSecurityClosed);
    CmpRoot->Flags = Machine->Flags = User->Flags = CmpAppRoot->Flags = CM_FIXED | CM_VOLATILE;
    CmpFillSystem(CmpMakePath(Machine, L"SYSTEM"));
    CmpFillVersion(CmpMakePath(Machine, L"SOFTWARE"));
    CmpFillHardware(Hardware);
    CmpMakePath(User, L".DEFAULT\\Software");
    CmpMakePath(User, L"S-1-5-18\\Software");
    return CmpRoot;
}
