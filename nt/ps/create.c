/*
 * How a user process begins.
 *
 * Its memory holds what drivers read of one: the process environment block with the parameters and the list of modules,
 * the images' headers, and for each thread its environment block and a stack. No code is in it, since what the program
 * does is decided outside (door.h: DOOR_CALL_*). The first thread is announced together with the process, by the
 * creator, at PASSIVE_LEVEL; a notification routine may refuse the process then (docs: PS_CREATE_NOTIFY_INFO,
 * CreationStatus).
 *
 * DIFFERS: the images in a process are headers without code.
 */
#include "nt.h"
#include "mm/space.h"

#define PSP_IMAGE_BYTES 0x10000ull
#define PSP_DIRECTORY L"C:\\Windows\\System32\\"

/* Where things lie in the page (64-bit form, then 32-bit) that holds them all: drivers find them by the PEB's fields.
 */
#define PSP_AREA_BYTES 0x10000ull
#define PSP_PARAMETERS 0x1000 /* behind the PEB, in the same range */
#define PSP_LOADER 0x3000
#define PSP_TEXT 0x4000

/* ---- Text -----------------------------------------------------------------------------------------------------------
 */

static NTSTATUS PspText(PUNICODE_STRING String, PCWSTR Before, PCSTR Utf8)
{
    ULONG Head = (ULONG)wcslen(Before), Room = Head + (ULONG)strlen(Utf8) + 1;

    if (Room > 32000)
        return STATUS_NAME_TOO_LONG;
    String->Buffer = ExpTryAllocate(Room * sizeof(WCHAR), 'txsP');
    if (!String->Buffer)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlCopyMemory(String->Buffer, Before, Head * sizeof(WCHAR));
    RtlpFromUtf8(String->Buffer + Head, Room - Head, Utf8);
    RtlInitUnicodeString(String, String->Buffer);
    return STATUS_SUCCESS;
}

static NTSTATUS PspNames(PEPROCESS Process, const PSP_LAUNCH *Launch)
{
    PCSTR Image = Launch->Image;
    BOOLEAN Bare = !strchr(Image, '\\');
    NTSTATUS Status;

    if (!strncmp(Image, "\\??\\", 4))
        Image += 4;
    if (!*Image || strlen(Image) > 900 || (!Bare && (Image[1] != ':' || Image[2] != '\\')))
        return STATUS_OBJECT_NAME_INVALID;
    Status = PspText(&Process->OpenPath, Bare ? L"\\??\\" PSP_DIRECTORY : L"\\??\\", Image);
    if (NT_SUCCESS(Status)) /* without the drive */
        Status = PspText(&Process->ImagePath,
                         Bare ? L"\\Device\\HarddiskVolume1\\Windows\\System32\\" : L"\\Device\\HarddiskVolume1",
                         Bare ? Image : Image + 2);
    if (NT_SUCCESS(Status))
        Status = PspText(&Process->CommandLine, L"", *Launch->CommandLine ? Launch->CommandLine : Image);
    for (PCSTR At = Image; *At; At++)
        if (*At == '\\')
            Image = At + 1;
    RtlZeroMemory(Process->ImageFileName, sizeof(Process->ImageFileName));
    for (ULONG i = 0; Image[i] && i + 1 < sizeof(Process->ImageFileName); i++)
        Process->ImageFileName[i] = Image[i];
    return Status;
}

static NTSTATUS PspOpenFile(PUNICODE_STRING Path, ULONG Options, PFILE_OBJECT *File)
{
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE Handle;
    NTSTATUS Status;

    InitializeObjectAttributes(&Attributes, Path, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    Status = IoCreateFile(&Handle, FILE_READ_DATA | FILE_EXECUTE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0,
                          FILE_SHARE_READ | FILE_SHARE_DELETE, FILE_OPEN, Options | FILE_SYNCHRONOUS_IO_NONALERT, NULL,
                          0, CreateFileTypeNone, NULL, IO_NO_PARAMETER_CHECKING);
    if (!NT_SUCCESS(Status))
        return Status;
    Status = ObReferenceObjectByHandle(Handle, 0, IopFileType, KernelMode, (PVOID *)File, NULL);
    ObpCloseHandle(Handle, KernelMode);
    return Status;
}

/* The image's file, if the volume has it; else a file object that only tells the name. */
static NTSTATUS PspOpenImage(PEPROCESS Process)
{
    UNICODE_STRING Root = RTL_CONSTANT_STRING(L"\\??\\C:\\"),
                   Device = RTL_CONSTANT_STRING(L"\\Device\\HarddiskVolume1");
    PFILE_OBJECT Directory;
    NTSTATUS Status = PspOpenFile(&Process->OpenPath, FILE_NON_DIRECTORY_FILE, &Process->ImageFile);

    if (Status != STATUS_OBJECT_NAME_NOT_FOUND && Status != STATUS_OBJECT_PATH_NOT_FOUND)
        return Status;
    Status = PspOpenFile(&Root, FILE_DIRECTORY_FILE, &Directory);
    if (!NT_SUCCESS(Status))
        return Status;
    Process->ImageFile =
        IopMakeNamedFile(Directory->DeviceObject, Process->ImagePath.Buffer + Device.Length / sizeof(WCHAR));
    ObfDereferenceObject(Directory);
    return Process->ImageFile ? STATUS_SUCCESS : STATUS_INSUFFICIENT_RESOURCES;
}

/* ---- Memory ---------------------------------------------------------------------------------------------------------
 */

/* A committed range of the process; 0 = no memory. */
static UINT64 PspRange(PMI_SPACE Space, UINT64 At, UINT64 Bytes, ULONG Type, ULONG Protection)
{
    PMI_VAD Vad;

    if (!At)
        At = MiChoose(Space, Bytes, Space->High);
    Vad = At ? MiInsertVad(Space, At, Bytes, Type, Protection) : NULL;
    return Vad && MiSetEntries(Space, Vad, At, At + Bytes, Protection) ? At : 0;
}

typedef struct _PSP_LAYOUT {
    BOOLEAN Wow64;
    UINT64 Peb, Peb32, Image, Ntdll;
} PSP_LAYOUT;

/* The headers of an image: what a driver looks at that asks which machine it is for and how large. */
static VOID PspWriteHeaders(PMI_SPACE Space, UINT64 Base, BOOLEAN Is32)
{
    struct {
        USHORT Magic;
        UCHAR Fill[0x3a];
        LONG New;
        UCHAR Stub[0x40];
        ULONG Signature;
        USHORT Machine, Sections;
        ULONG Time, Symbols, SymbolCount;
        USHORT OptionalBytes, Characteristics;
        USHORT OptionalMagic;
        UCHAR Optional[0xee];
    } Headers = {.Magic = 0x5a4d,
                 .New = 0x80,
                 .Signature = 0x4550,
                 .Machine = Is32 ? 0x14c : 0x8664,
                 .OptionalBytes = Is32 ? 0xe0 : 0xf0,
                 .Characteristics = Is32 ? 0x102 : 0x22,
                 .OptionalMagic = Is32 ? 0x10b : 0x20b};
    PUCHAR Optional = (PUCHAR)&Headers.OptionalMagic;

    *(PULONG)(Optional + 0x10) = 0x1000; /* AddressOfEntryPoint */
    if (Is32)
        *(PULONG)(Optional + 0x1c) = (ULONG)Base;
    else
        *(PUINT64)(Optional + 0x18) = Base;
    *(PULONG)(Optional + 0x20) = *(PULONG)(Optional + 0x24) = 0x1000; /* alignments */
    *(PULONG)(Optional + 0x38) = PSP_IMAGE_BYTES;
    *(PULONG)(Optional + 0x3c) = 0x1000;
    *(PUSHORT)(Optional + 0x44) = 3; /* console */
    MmWriteProcess(Space, Base, &Headers, sizeof(Headers));
}

/* A UNICODE_STRING of the process, and its text at *Text. */
static VOID PspWriteString(PMI_SPACE Space, UINT64 At, PCUNICODE_STRING String, UINT64 *Text, BOOLEAN Is32)
{
    struct {
        USHORT Length, Maximum;
        ULONG Half;
        UINT64 Buffer;
    } Header = {String->Length, String->Length + sizeof(WCHAR), (ULONG)*Text, *Text};

    MmWriteProcess(Space, At, &Header, Is32 ? 8 : 16);
    MmWriteProcess(Space, *Text, String->Buffer, String->Length); /* what follows is zero */
    *Text += (String->Length + sizeof(WCHAR) + 15) & ~15ull;
}

static VOID PspWriteWord(PMI_SPACE Space, UINT64 At, UINT64 Value, BOOLEAN Is32)
{
    MmWriteProcess(Space, At, &Value, Is32 ? 4 : 8);
}

/* The two modules in their three lists; a list's head and links are two words each. */
static VOID PspWriteModules(PEPROCESS Process, UINT64 Area, const PSP_LAYOUT *Layout, UINT64 *Text, BOOLEAN Is32)
{
    static const UNICODE_STRING Ntdll = RTL_CONSTANT_STRING(PSP_DIRECTORY L"ntdll.dll"),
                                NtdllBase = RTL_CONSTANT_STRING(L"ntdll.dll");
    PMI_SPACE Space = Process->Space;
    UINT64 Word = Is32 ? 4 : 8, Loader = Area + PSP_LOADER, Entry[2] = {Loader + 0x100, Loader + 0x300};
    UINT64 Head = Loader + (Is32 ? 0xc : 0x10);
    UNICODE_STRING Full = {.Buffer = Process->OpenPath.Buffer + 4, .Length = Process->OpenPath.Length - 8}, Base = Full;

    for (ULONG i = 0; i < Full.Length / sizeof(WCHAR); i++)
        if (Full.Buffer[i] == L'\\') {
            Base.Buffer = Full.Buffer + i + 1;
            Base.Length = Full.Length - (USHORT)((i + 1) * sizeof(WCHAR));
        }
    PspWriteWord(Space, Loader, Is32 ? 0x30 : 0x58, TRUE); /* Length */
    PspWriteWord(Space, Loader + 4, 1, TRUE);              /* Initialized */
    for (ULONG List = 0; List < 3; List++) {
        UINT64 At[3] = {Head + List * 2 * Word, Entry[0] + List * 2 * Word, Entry[1] + List * 2 * Word};
        for (ULONG i = 0; i < 3; i++) {
            PspWriteWord(Space, At[i], At[(i + 1) % 3], Is32);
            PspWriteWord(Space, At[i] + Word, At[(i + 2) % 3], Is32);
        }
    }
    for (ULONG i = 0; i < 2; i++) {
        UINT64 Start = Entry[i] + 6 * Word, Image = i ? Layout->Ntdll : Layout->Image;
        PspWriteWord(Space, Start, Image, Is32);
        PspWriteWord(Space, Start + Word, Image + 0x1000, Is32);
        PspWriteWord(Space, Start + 2 * Word, PSP_IMAGE_BYTES, Is32);
        PspWriteString(Space, Start + 3 * Word, i ? &Ntdll : &Full, Text, Is32);
        PspWriteString(Space, Start + (Is32 ? 5 : 5) * Word, i ? &NtdllBase : &Base, Text, Is32);
    }
    PspWriteWord(Space, Area + (Is32 ? 0xc : 0x18), Loader, Is32);
}

static VOID PspWritePeb(PEPROCESS Process, UINT64 Area, const PSP_LAYOUT *Layout, BOOLEAN Is32)
{
    static const UNICODE_STRING Directory = RTL_CONSTANT_STRING(PSP_DIRECTORY);
    UNICODE_STRING Path = {.Buffer = Process->OpenPath.Buffer + 4, .Length = Process->OpenPath.Length - 8};
    UINT64 Parameters = Area + PSP_PARAMETERS, Text = Area + PSP_TEXT;
    PMI_SPACE Space = Process->Space;

    PspWriteWord(Space, Area + (Is32 ? 8 : 0x10), Layout->Image, Is32);
    PspWriteWord(Space, Area + (Is32 ? 0x10 : 0x20), Parameters, Is32);
    PspWriteWord(Space, Parameters, PSP_AREA_BYTES - PSP_PARAMETERS, TRUE);     /* MaximumLength */
    PspWriteWord(Space, Parameters + 4, PSP_AREA_BYTES - PSP_PARAMETERS, TRUE); /* Length */
    PspWriteWord(Space, Parameters + 8, 1, TRUE);                               /* normalised: pointers are pointers */
    PspWriteString(Space, Parameters + (Is32 ? 0x24 : 0x38), &Directory, &Text, Is32);
    PspWriteString(Space, Parameters + (Is32 ? 0x38 : 0x60), &Path, &Text, Is32);
    PspWriteString(Space, Parameters + (Is32 ? 0x40 : 0x70), &Process->CommandLine, &Text, Is32);
    PspWriteModules(Process, Area, Layout, &Text, Is32);
    PspWriteWord(Space, Area + (Is32 ? 0xa4 : 0x118), KiDoor->os_major, TRUE);
    PspWriteWord(Space, Area + (Is32 ? 0xa8 : 0x11c), KiDoor->os_minor, TRUE);
    PspWriteWord(Space, Area + (Is32 ? 0xac : 0x120), KiDoor->os_build & 0xffff, TRUE);
}

static NTSTATUS PspFillSpace(PEPROCESS Process, BOOLEAN Wow64)
{
    PSP_LAYOUT Layout = {.Wow64 = Wow64};
    PMI_SPACE Space = Process->Space;
    UINT64 Area = PSP_AREA_BYTES + ((Process->CommandLine.Length + 2ull * Process->OpenPath.Length) & ~(DOOR_PAGE - 1));

    Layout.Image = PspRange(Space, Wow64 ? 0x400000 : 0, PSP_IMAGE_BYTES, MEM_IMAGE, PAGE_EXECUTE_WRITECOPY);
    Layout.Ntdll = PspRange(Space, Wow64 ? 0x77000000 : 0, PSP_IMAGE_BYTES, MEM_IMAGE, PAGE_EXECUTE_WRITECOPY);
    Layout.Peb = PspRange(Space, 0, Area, MEM_PRIVATE, PAGE_READWRITE);
    if (Wow64)
        Layout.Peb32 = PspRange(Space, 0, Area, MEM_PRIVATE, PAGE_READWRITE);
    if (!Layout.Image || !Layout.Ntdll || !Layout.Peb || (Wow64 && !Layout.Peb32))
        return STATUS_NO_MEMORY;
    PspWriteHeaders(Space, Layout.Image, Wow64);
    PspWriteHeaders(Space, Layout.Ntdll, Wow64);
    PspWritePeb(Process, Layout.Peb, &Layout, FALSE);
    if (Wow64)
        PspWritePeb(Process, Layout.Peb32, &Layout, TRUE);
    Process->Peb = (PVOID)Layout.Peb;
    Process->Wow64Process = (PVOID)Layout.Peb32;
    Process->SectionBaseAddress = (PVOID)Layout.Image;
    Process->NtdllBase = (PVOID)Layout.Ntdll;
    return STATUS_SUCCESS;
}

/* The thread environment block: of it the self pointer, the stack, the ids, the way to the PEB. */
static NTSTATUS PspMakeTeb(PEPROCESS Process, PETHREAD Thread)
{
    PMI_SPACE Space = Process->Space;
    UINT64 Stack = PspRange(Space, 0, DOOR_USER_STACK, MEM_PRIVATE, PAGE_READWRITE);
    UINT64 Teb = Stack ? PspRange(Space, 0, 0x4000, MEM_PRIVATE, PAGE_READWRITE) : 0;

    if (!Teb)
        return STATUS_NO_MEMORY;
    PspWriteWord(Space, Teb + 0x08, Stack + DOOR_USER_STACK, FALSE);
    PspWriteWord(Space, Teb + 0x10, Stack, FALSE);
    PspWriteWord(Space, Teb + 0x30, Teb, FALSE);
    PspWriteWord(Space, Teb + 0x40, (UINT64)Thread->Cid.UniqueProcess, FALSE);
    PspWriteWord(Space, Teb + 0x48, (UINT64)Thread->Cid.UniqueThread, FALSE);
    PspWriteWord(Space, Teb + 0x60, (UINT64)Process->Peb, FALSE);
    if (Process->Wow64Process) { /* the 32-bit one lies behind it */
        PspWriteWord(Space, Teb, Teb + 0x2000, FALSE);
        PspWriteWord(Space, Teb + 0x2000 + 0x18, Teb + 0x2000, TRUE);
        PspWriteWord(Space, Teb + 0x2000 + 0x20, (UINT64)Thread->Cid.UniqueProcess, TRUE);
        PspWriteWord(Space, Teb + 0x2000 + 0x24, (UINT64)Thread->Cid.UniqueThread, TRUE);
        PspWriteWord(Space, Teb + 0x2000 + 0x30, (UINT64)Process->Wow64Process, TRUE);
    }
    Thread->UserStack = Stack;
    Thread->Tcb.Teb = (PVOID)Teb;
    return STATUS_SUCCESS;
}

VOID MmDeleteProcessMemory(PEPROCESS Process)
{
    PMI_SPACE Space = Process->Space;
    PMI_VAD Vad;

    while ((Vad = RtlGetElementGenericTableAvl(&Space->Vads, 0)) != NULL)
        MiRemoveVad(Space, Vad);
    MiCloseShare(Space);
}

/* ---- Process and thread ---------------------------------------------------------------------------------------------
 */

NTSTATUS PspCreateUserThread(PEPROCESS Process, PETHREAD *Result)
{
    NTSTATUS Status;

    if (Process->Ending)
        return STATUS_PROCESS_IS_TERMINATING;
    Status = PspMakeThread(Process, PspUserThread, (PKSTART_ROUTINE)((UINT64)Process->SectionBaseAddress + 0x1000),
                           NULL, Result);
    if (!NT_SUCCESS(Status))
        return Status;
    (*Result)->Tcb.PreviousMode = UserMode;
    Status = PspMakeTeb(Process, *Result);
    if (!NT_SUCCESS(Status))
        PspEndThread(*Result, Status); /* it ends before it has begun */
    return STATUS_SUCCESS;
}

VOID PspStartUserThread(PETHREAD Thread)
{
    PspNotifyThread(Thread, TRUE);
    KiReadyThread(&Thread->Tcb);
}

VOID PspDeleteProcess(PVOID Body)
{
    PEPROCESS Process = Body;

    if (!IsListEmpty(&Process->ActiveProcessLinks))
        RemoveEntryList(&Process->ActiveProcessLinks);
    PspForgetJob(Process);
    if (Process->UniqueProcessId)
        PspForgetId(Process->UniqueProcessId);
    if (Process->Space)
        MiDeleteSpace(Process->Space);
    if (Process->ObjectTable)
        ObpFreeTable(Process->ObjectTable);
    SepProcessGoes(Process);
    if (Process->ImageFile)
        ObfDereferenceObject(Process->ImageFile);
    if (Process->ImagePath.Buffer)
        ExpFree(Process->ImagePath.Buffer);
    if (Process->OpenPath.Buffer)
        ExpFree(Process->OpenPath.Buffer);
    if (Process->CommandLine.Buffer)
        ExpFree(Process->CommandLine.Buffer);
}

static NTSTATUS PspBuildProcess(PEPROCESS Process, PEPROCESS Parent, const PSP_LAUNCH *Launch, PETHREAD *Thread)
{
    BOOLEAN Wow64 = (Launch->Flags & DOOR_LAUNCH_WOW64) != 0;
    NTSTATUS Status = PspNames(Process, Launch);

    if (NT_SUCCESS(Status))
        Status = PspOpenImage(Process);
    if (!NT_SUCCESS(Status))
        return Status;
    Process->UniqueProcessId = PspNewId(Process);
    Process->InheritedFromUniqueProcessId = Parent->UniqueProcessId;
    Process->ObjectTable = ExpTryAllocate(sizeof(*Process->ObjectTable), 'tbbO');
    Process->Space = MiCreateSpace(Process, Wow64);
    if (!Process->Space || !Process->ObjectTable)
        return STATUS_INSUFFICIENT_RESOURCES;
    if (Launch->Flags & DOOR_LAUNCH_SHARED)
        Status = MiOpenShare(Process->Space, Launch->Slot);
    if (NT_SUCCESS(Status))
        Status = PspFillSpace(Process, Wow64);
    if (NT_SUCCESS(Status))
        Status = PspInheritJob(Process, Parent);
    if (NT_SUCCESS(Status))
        Status = PspCreateUserThread(Process, Thread);
    if (!NT_SUCCESS(Status))
        return Status;
    Process->FirstThread = *Thread;
    InsertTailList(&PspProcesses, &Process->ActiveProcessLinks);
    return STATUS_SUCCESS;
}

NTSTATUS PspLaunch(PEPROCESS Parent, const PSP_LAUNCH *Launch, PEPROCESS *Result, PETHREAD *Thread)
{
    PEPROCESS Process = PspMakeProcess("");
    NTSTATUS Status = PspBuildProcess(Process, Parent, Launch, Thread), Verdict;

    *Result = Process;
    if (!NT_SUCCESS(Status)) {
        ObfDereferenceObject(Process);
        return Status;
    }
    Process->Announced = TRUE;
    Verdict = PspNotifyProcess(Process, (PETHREAD)KeGetCurrentThread(), TRUE);
    /* docs: CreateProcessNotifyEx: called when the first thread exists, and before the last one that exits is gone. So the end
     * of a refused process is told, too: it has a thread, which exits without having run. */
    if (!NT_SUCCESS(Verdict))
        PspEndProcess(Process, Verdict); /* its thread ends as soon as it runs */
    PspStartUserThread(*Thread);
    if (!NT_SUCCESS(Verdict)) {
        KeWaitForSingleObject(Process, Executive, KernelMode, FALSE, NULL);
        ObfDereferenceObject(*Thread);
        ObfDereferenceObject(Process);
    }
    return Verdict;
}
