/*
 * What drivers find out about images, handles and the running thread by undocumented routines: headers and exports of mapped
 * images, the system information classes about modules and handles.
 */
#include "check.h"
#include <ntimage.h>

NTKERNELAPI PIMAGE_NT_HEADERS NTAPI RtlImageNtHeader(PVOID Base);
NTKERNELAPI NTSTATUS NTAPI RtlImageNtHeaderEx(ULONG Flags, PVOID Base, ULONG64 Size, PIMAGE_NT_HEADERS *Headers);
NTKERNELAPI PVOID NTAPI RtlImageDirectoryEntryToData(PVOID Base, BOOLEAN Mapped, USHORT Directory, PULONG Size);
NTKERNELAPI PVOID NTAPI RtlFindExportedRoutineByName(PVOID Base, PCCH Name);
NTKERNELAPI PVOID NTAPI RtlPcToFileHeader(PVOID PcValue, PVOID *BaseOfImage);
NTKERNELAPI NTSTATUS NTAPI NtQuerySystemInformation(ULONG Class, PVOID Buffer, ULONG Bytes, PULONG Returned);
NTKERNELAPI PEPROCESS NTAPI PsGetCurrentThreadProcess(VOID);
NTKERNELAPI HANDLE NTAPI PsGetCurrentThreadProcessId(VOID);
NTKERNELAPI PVOID NTAPI PsGetCurrentThreadStackBase(VOID);
NTKERNELAPI PVOID NTAPI PsGetCurrentThreadStackLimit(VOID);
NTKERNELAPI BOOLEAN NTAPI KeIsAttachedProcess(VOID);
NTKERNELAPI BOOLEAN NTAPI PsIsSystemProcess(PEPROCESS Process);
NTKERNELAPI NTSTATUS NTAPI PsLookupProcessThreadByCid(PCLIENT_ID ClientId, PEPROCESS *Process, PETHREAD *Thread);

typedef struct _MODULE {
    PVOID Section, MappedBase, ImageBase;
    ULONG ImageSize, Flags;
    USHORT LoadOrderIndex, InitOrderIndex, LoadCount, OffsetToFileName;
    CHAR FullPathName[256];
} MODULE;
typedef struct _MODULE_EX {
    USHORT NextOffset;
    MODULE Base;
    ULONG CheckSum, TimeDateStamp;
    PVOID DefaultBase;
} MODULE_EX;
typedef struct _HANDLE_EX {
    PVOID Object;
    ULONG_PTR ProcessId, Value;
    ULONG Access;
    USHORT BackTrace, TypeIndex;
    ULONG Attributes, Reserved;
} HANDLE_EX;

static PVOID Ask(ULONG Class, PULONG Returned)
{
    ULONG Need = 0;

    CHECK_IS(NtQuerySystemInformation(Class, NULL, 0, &Need), STATUS_INFO_LENGTH_MISMATCH);
    PVOID Buffer = ExAllocatePoolWithTag(NonPagedPoolNx, Need, 'gamI');
    CHECK_IS(NtQuerySystemInformation(Class, Buffer, Need, Returned), STATUS_SUCCESS);
    CHECK_IS(*Returned, Need);
    return Buffer;
}

static PVOID KernelBase(void)
{
    ULONG Bytes;
    PUCHAR Modules = Ask(11, &Bytes);
    MODULE *First = (MODULE *)(Modules + 8);
    PVOID Base = First->ImageBase;

    CHECK(strstr(First->FullPathName + First->OffsetToFileName, "ntoskrnl.exe") != NULL);
    ExFreePool(Modules);
    return Base;
}

TEST(headers_of_an_image_are_found)
{
    PVOID Base = CheckDriver->DriverStart, Found = NULL;
    PIMAGE_NT_HEADERS Headers = RtlImageNtHeader(Base), Ex;
    ULONG Size = 7;

    if (!CHECK(Headers != NULL))
        return;
    CHECK_IS(Headers->Signature, IMAGE_NT_SIGNATURE);
    CHECK_IS(Headers->OptionalHeader.SizeOfImage, CheckDriver->DriverSize);
    CHECK_IS(RtlImageNtHeaderEx(0, Base, CheckDriver->DriverSize, &Ex), STATUS_SUCCESS);
    CHECK(Ex == Headers);
    CHECK_IS(RtlImageNtHeaderEx(0, Base, 0x40, &Ex), STATUS_INVALID_IMAGE_FORMAT);
    CHECK(Ex == NULL);
    CHECK_IS(RtlImageNtHeaderEx(0, NULL, 0x1000, &Ex), STATUS_INVALID_PARAMETER);
    CHECK(RtlImageNtHeader((PVOID)-1) == NULL);
    CHECK(RtlImageNtHeader(&Size) == NULL);

    PIMAGE_IMPORT_DESCRIPTOR Imports = RtlImageDirectoryEntryToData(Base, TRUE, IMAGE_DIRECTORY_ENTRY_IMPORT, &Size);
    if (CHECK(Imports != NULL))
        CHECK(!_stricmp((PCHAR)Base + Imports->Name, "ntoskrnl.exe") && Size >= sizeof(*Imports));
    CHECK(RtlImageDirectoryEntryToData(Base, TRUE, 99, &Size) == NULL && Size == 0);
    CHECK(RtlPcToFileHeader((PVOID)(ULONG_PTR)KernelBase, &Found) == Base && Found == Base);
}

TEST(exports_of_the_kernel_are_found_by_name)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"PsGetCurrentProcessId");
    PVOID Kernel = KernelBase(), Routine;
    ULONG Size;

    Routine = RtlFindExportedRoutineByName(Kernel, "PsGetCurrentProcessId");
    CHECK(Routine && Routine == MmGetSystemRoutineAddress(&Name));
    CHECK(((HANDLE(NTAPI *)(void))Routine)() == PsGetCurrentProcessId());
    CHECK(RtlFindExportedRoutineByName(Kernel, "NoSuchRoutine") == NULL);

    PIMAGE_EXPORT_DIRECTORY Exports = RtlImageDirectoryEntryToData(Kernel, TRUE, IMAGE_DIRECTORY_ENTRY_EXPORT, &Size);
    if (CHECK(Exports != NULL))
        CHECK(Exports->NumberOfNames > 1000 && Size > Exports->NumberOfNames * 4);
}

typedef struct _TABLE {
    ULONG Provider, Action, Id, Length;
    UCHAR Data[512];
} TABLE;

static NTSTATUS Firmware(TABLE *Table, ULONG Provider, ULONG Action, ULONG Id, ULONG Bytes, PULONG Returned)
{
    *Table = (TABLE){Provider, Action, Id, 0, {0}};
    return NtQuerySystemInformation(76, Table, Bytes, Returned);
}

TEST(the_firmware_has_tables)
{
    static TABLE Table;
    ULONG Returned = 0;

    CHECK_IS(Firmware(&Table, 'RSMB', 0, 0, 8, &Returned), STATUS_INFO_LENGTH_MISMATCH);
    CHECK_IS(Returned, 16);
    CHECK_IS(Firmware(&Table, 'XXXX', 0, 0, sizeof(Table), &Returned), STATUS_NOT_IMPLEMENTED);
    CHECK_IS(Firmware(&Table, 'RSMB', 2, 0, sizeof(Table), &Returned), STATUS_INVALID_PARAMETER);
    CHECK_IS(Firmware(&Table, 'RSMB', 0, 0, sizeof(Table), &Returned), STATUS_SUCCESS);
    CHECK(Table.Length == 4 && *(PULONG)Table.Data == 0 && Returned == 20); /* one table, 0 */
    CHECK_IS(Firmware(&Table, 'RSMB', 1, 0, 16, &Returned), STATUS_BUFFER_TOO_SMALL);
    CHECK(Table.Length > 24 && Returned == Table.Length + 16);
    CHECK_IS(Firmware(&Table, 'RSMB', 1, 0, Returned, &Returned), STATUS_SUCCESS);
    CHECK_IS(*(PULONG)(Table.Data + 4) + 8, Table.Length); /* RawSMBIOSData.Length */
    ULONG Types = 0;
    for (PUCHAR At = Table.Data + 8; At < Table.Data + Table.Length;) { /* structures, each with its strings */
        Types = Types * 1000 + At[0];
        At += At[1];
        while (At[0] || At[1])
            At++;
        At += 2;
        CHECK(At <= Table.Data + Table.Length);
    }
    CHECK_IS(Types, 1127); /* 0, 1, 127 */
    CHECK_IS(Firmware(&Table, 'RSMB', 1, 9, sizeof(Table), &Returned), STATUS_NOT_FOUND);
    CHECK_IS(Firmware(&Table, 'ACPI', 0, 0, sizeof(Table), &Returned), STATUS_SUCCESS);
    CHECK(Table.Length == 0 && Returned == 16);
    CHECK_IS(Firmware(&Table, 'ACPI', 1, 'PCAF', sizeof(Table), &Returned), STATUS_NOT_FOUND);
}

TEST(the_start_is_a_bios)
{
    struct {
        GUID Id;
        ULONG Type;
        ULONGLONG Flags;
    } Boot;
    BOOLEAN Secure[2] = {7, 7};
    ULONG Returned;

    CHECK_IS(NtQuerySystemInformation(90, &Boot, sizeof(Boot), &Returned), STATUS_SUCCESS);
    CHECK(Returned == 32 && Boot.Type == ExGetFirmwareType());
    CHECK_IS(NtQuerySystemInformation(90, &Boot, sizeof(Boot) - 1, &Returned), STATUS_INFO_LENGTH_MISMATCH);
    CHECK_IS(NtQuerySystemInformation(145, Secure, sizeof(Secure), &Returned), STATUS_SUCCESS);
    CHECK(!Secure[0] && !Secure[1] && Returned == 2);
}

TEST(modules_are_listed_with_their_times)
{
    ULONG Bytes;
    MODULE_EX *List = Ask(77, &Bytes);
    BOOLEAN Mine = FALSE;

    for (MODULE_EX *Module = List; Module->NextOffset; Module = (PVOID)((PUCHAR)Module + Module->NextOffset))
        if (Module->Base.ImageBase == CheckDriver->DriverStart)
            Mine = Module->TimeDateStamp == RtlImageNtHeader(CheckDriver->DriverStart)->FileHeader.TimeDateStamp;
    CHECK(Mine);
    ExFreePool(List);
}

TEST(handles_are_listed)
{
    OBJECT_ATTRIBUTES Attributes = {.Length = sizeof(Attributes), .Attributes = OBJ_KERNEL_HANDLE};
    HANDLE Event;
    PVOID Object;
    ULONG Bytes, Seen = 0, Type = 0;

    CHECK_IS(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &Attributes, NotificationEvent, FALSE), STATUS_SUCCESS);
    CHECK_IS(ObReferenceObjectByHandle(Event, 0, NULL, KernelMode, &Object, NULL), STATUS_SUCCESS);
    PULONG_PTR List = Ask(64, &Bytes);
    HANDLE_EX *Entry = (HANDLE_EX *)(List + 2);
    CHECK_IS(16 + List[0] * sizeof(*Entry), Bytes);
    for (ULONG_PTR i = 0; i < List[0]; i++)
        if (Entry[i].Object == Object) {
            Seen++;
            CHECK_IS(Entry[i].ProcessId, 4);
            CHECK_IS(Entry[i].Access, EVENT_ALL_ACCESS);
            CHECK_IS(Entry[i].Value, (ULONG)(ULONG_PTR)Event & 0x7fffffff);
            Type = Entry[i].TypeIndex;
        }
    CHECK_IS(Seen, 1);
    ExFreePool(List);
    PUCHAR Short = Ask(16, &Bytes);
    Seen = 0;
    for (ULONG i = 0; i < *(PULONG)Short; i++)
        if (*(PVOID *)(Short + 8 + i * 24 + 8) == Object)
            Seen += Short[8 + i * 24 + 4] == Type;
    CHECK_IS(Seen, 1);
    ExFreePool(Short);
    ObDereferenceObject(Object);
    ZwClose(Event);
}

TEST(the_running_thread_says_what_it_is)
{
    CLIENT_ID Id = {PsGetCurrentProcessId(), PsGetCurrentThreadId()};
    PEPROCESS Process;
    PETHREAD Thread;
    ULONG Local;

    CHECK(PsGetCurrentThreadProcess() == PsInitialSystemProcess && PsIsSystemProcess(PsGetCurrentThreadProcess()));
    CHECK_IS(PsGetCurrentThreadProcessId(), 4);
    CHECK((PVOID)&Local < PsGetCurrentThreadStackBase() && (PVOID)&Local >= PsGetCurrentThreadStackLimit());
    CHECK(!KeIsAttachedProcess());
    if (CHECK_IS(PsLookupProcessThreadByCid(&Id, &Process, &Thread), STATUS_SUCCESS)) {
        CHECK(Process == PsInitialSystemProcess && Thread == PsGetCurrentThread());
        ObDereferenceObject(Process);
        ObDereferenceObject(Thread);
    }
    Id.UniqueProcess = (HANDLE)0;
    CHECK_IS(PsLookupProcessThreadByCid(&Id, NULL, &Thread), STATUS_INVALID_CID);
}

CHECK_DRIVER(T(headers_of_an_image_are_found), T(exports_of_the_kernel_are_found_by_name), T(the_firmware_has_tables),
             T(the_start_is_a_bios), T(modules_are_listed_with_their_times), T(handles_are_listed),
             T(the_running_thread_says_what_it_is))
