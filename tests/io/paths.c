/*
 * Names that lead to files, and what each way of asking makes of them: the volume, its root, directories and files, with
 * too many separators, dots, wildcards and parents that are none; and a file's information into buffers of every size.
 * (docs: ZwCreateFile, ZwQueryInformationFile, FILE_ALL_INFORMATION; the statuses are NTFS')
 */
#include "test.h"

#define DRIVE L"\\??\\C:"
#define SHARE_ALL (FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE)

/* a place's kind: the volume and its root can't be made anew, and a directory is one */
enum { FILE_ = 0, DIRECTORY = 1, ROOT = 2 };

typedef struct {
    PCWSTR Parent, Name;
    ULONG Kind;
    NTSTATUS Status;
} PATH;

static const PATH Paths[] = {
    {NULL, DRIVE L"\\", DIRECTORY | ROOT, STATUS_SUCCESS},
    {NULL, DRIVE L"\\\\", DIRECTORY | ROOT, STATUS_SUCCESS},
    {NULL, DRIVE L"\\\\\\", DIRECTORY | ROOT, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir", DIRECTORY, STATUS_SUCCESS},
    {NULL, DRIVE L"\\dir\\", DIRECTORY, STATUS_SUCCESS},
    {NULL, DRIVE L"\\dir\\\\", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\\\dir", DIRECTORY, STATUS_SUCCESS},
    {NULL, DRIVE L"\\\\dir\\", DIRECTORY, STATUS_SUCCESS},
    {NULL, DRIVE L"\\dir\\a.exe", FILE_, STATUS_SUCCESS},
    {NULL, DRIVE L"\\dir\\\\a.exe", FILE_, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir\\a.exe\\", FILE_, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir\\a.exe\\below", FILE_, STATUS_OBJECT_PATH_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\a.exe\\\\", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {DRIVE L"\\", L"", DIRECTORY, STATUS_SUCCESS},
    {DRIVE L"\\", L"dir", DIRECTORY, STATUS_SUCCESS},
    {DRIVE L"\\", L"\\dir", DIRECTORY, STATUS_INVALID_PARAMETER},
    {DRIVE L"\\", L"dir\\", DIRECTORY, STATUS_SUCCESS},
    {DRIVE L"\\dir", L"", DIRECTORY, STATUS_SUCCESS},
    {DRIVE L"\\dir", L"a.exe", FILE_, STATUS_SUCCESS},
    {DRIVE L"\\dir\\a.exe", L"", FILE_, STATUS_SUCCESS},
    {DRIVE L"\\dir\\a.exe", L"below", FILE_, STATUS_OBJECT_PATH_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\none", FILE_, STATUS_OBJECT_NAME_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\none\\below", FILE_, STATUS_OBJECT_PATH_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\none\\below?", FILE_, STATUS_OBJECT_PATH_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\none\\below\\\\", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir\\wild?", FILE_, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir\\.", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir\\..", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE L"\\dir\\...", DIRECTORY, STATUS_OBJECT_NAME_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\.\\sub", DIRECTORY, STATUS_OBJECT_PATH_NOT_FOUND},
    {NULL, DRIVE L"\\dir\\..\\dir", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {DRIVE L"\\", L".", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {DRIVE L"\\", L"...", DIRECTORY, STATUS_OBJECT_NAME_NOT_FOUND},
    {DRIVE L"\\", L".\\dir", DIRECTORY, STATUS_OBJECT_PATH_NOT_FOUND},
    {DRIVE L"\\dir", L"..\\dir", DIRECTORY, STATUS_OBJECT_NAME_INVALID},
    {NULL, DRIVE, ROOT, STATUS_SUCCESS},
    {DRIVE, L"", ROOT, STATUS_SUCCESS},
    {DRIVE, L"file", DIRECTORY, STATUS_INVALID_PARAMETER},
};

static IO_STATUS_BLOCK Iosb;
static ULONG Row;

static NTSTATUS Ask(HANDLE Parent, PCWSTR Text, ULONG Access, ULONG Disposition, ULONG Options, PHANDLE Handle)
{
    OBJECT_ATTRIBUTES Attributes;
    UNICODE_STRING Name;
    RtlInitUnicodeString(&Name, Text);
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, Parent, NULL);
    return ZwCreateFile(Handle, Access, &Attributes, &Iosb, NULL, FILE_ATTRIBUTE_NORMAL, SHARE_ALL, Disposition,
                        Options, NULL, 0);
}

static VOID Expect(NTSTATUS Got, NTSTATUS Want, PCSTR How)
{
    Checks++;
    if (Got == Want)
        return;
    Failures++;
    DbgPrint("FAIL row %u, %s, \"%ls\" below \"%ls\": 0x%08x, not 0x%08x\n", Row, How, Paths[Row].Name,
             Paths[Row].Parent, Got, Want);
}

static VOID OpenOne(HANDLE Parent, PCWSTR Name, ULONG Options, NTSTATUS Want, PCSTR How)
{
    HANDLE File;
    NTSTATUS Status = Ask(Parent, Name, GENERIC_READ, FILE_OPEN, Options, &File);
    Expect(Status, Want, How);
    if (NT_SUCCESS(Status))
        OK(ZwClose(File));
}

/* Of what is there or can't be, no second one is made. */
static VOID MakeOne(HANDLE Parent, const PATH *Path)
{
    FILE_DISPOSITION_INFORMATION Gone = {TRUE};
    NTSTATUS Want = Path->Status;
    HANDLE File;
    if (Want == STATUS_OBJECT_NAME_NOT_FOUND)
        Want = STATUS_SUCCESS;
    else if (Want == STATUS_SUCCESS)
        Want = Path->Kind & ROOT ? STATUS_ACCESS_DENIED : STATUS_OBJECT_NAME_COLLISION;
    NTSTATUS Status = Ask(Parent, Path->Name, GENERIC_READ | DELETE, FILE_CREATE, 0, &File);
    if (Status == STATUS_ACCESS_DENIED && Path->Parent && !*Path->Name)
        Want = Status; /* the root opened anew through itself: either is Windows' */
    Expect(Status, Want, "made");
    if (!NT_SUCCESS(Status))
        return;
    CHECK(Iosb.Information == FILE_CREATED);
    OK(ZwSetInformationFile(File, &Iosb, &Gone, sizeof(Gone), FileDispositionInformation));
    OK(ZwClose(File));
}

static VOID every_name_has_its_status(VOID)
{
    HANDLE File, Parent;
    OK(Ask(NULL, DRIVE L"\\dir", GENERIC_READ, FILE_CREATE, FILE_DIRECTORY_FILE, &File));
    OK(ZwClose(File));
    OK(Ask(NULL, DRIVE L"\\dir\\sub", GENERIC_READ, FILE_CREATE, FILE_DIRECTORY_FILE, &File));
    OK(ZwClose(File));
    OK(Ask(NULL, DRIVE L"\\dir\\a.exe", GENERIC_READ, FILE_CREATE, 0, &File));
    OK(ZwClose(File));
    for (Row = 0; Row < RTL_NUMBER_OF(Paths); Row++) {
        const PATH *Path = &Paths[Row];
        BOOLEAN Good = NT_SUCCESS(Path->Status);
        SIZE_T Length = wcslen(Path->Name);
        BOOLEAN Trailing = Length && Path->Name[Length - 1] == L'\\';
        Parent = NULL;
        if (Path->Parent)
            OK(Ask(NULL, Path->Parent, GENERIC_READ, FILE_OPEN, 0, &Parent));
        OpenOne(Parent, Path->Name, 0, Path->Status, "opened");
        if (Path->Kind & DIRECTORY || (!Trailing && !Good))
            OpenOne(Parent, Path->Name, FILE_DIRECTORY_FILE, Path->Status, "as a directory");
        else
            OpenOne(Parent, Path->Name, FILE_DIRECTORY_FILE, STATUS_NOT_A_DIRECTORY, "as a directory");
        OpenOne(Parent, Path->Name, FILE_NON_DIRECTORY_FILE,
                Path->Kind & DIRECTORY && Good ? STATUS_FILE_IS_A_DIRECTORY : Path->Status, "as a file");
        OpenOne(Parent, Path->Name, FILE_DIRECTORY_FILE | FILE_NON_DIRECTORY_FILE, STATUS_INVALID_PARAMETER, "as both");
        MakeOne(Parent, Path);
        if (Parent)
            OK(ZwClose(Parent));
    }
}

/* The file's name is the last part of it all: what fits of it is given, whole characters only. */
static VOID all_information_fits_any_buffer(VOID)
{
    static UCHAR Buffer[1024];
    PFILE_ALL_INFORMATION All = (PVOID)Buffer;
    static const WCHAR Name[] = L"\\dir\\a.exe";
    ULONG Bytes = sizeof(Name) - sizeof(WCHAR), Fixed = FIELD_OFFSET(FILE_ALL_INFORMATION, NameInformation.FileName);
    HANDLE File;
    OK(Ask(NULL, DRIVE L"\\dir\\a.exe", SYNCHRONIZE | FILE_READ_ATTRIBUTES, FILE_OPEN, FILE_NON_DIRECTORY_FILE, &File));
    memset(Buffer, 0xdd, sizeof(Buffer));
    STATUS(ZwQueryInformationFile(File, &Iosb, All, Fixed - 1, FileAllInformation), STATUS_INFO_LENGTH_MISMATCH);
    STATUS(ZwQueryInformationFile(File, &Iosb, All, sizeof(*All), FileAllInformation), STATUS_BUFFER_OVERFLOW);
    CHECK(Iosb.Information == sizeof(*All));
    OK(ZwQueryInformationFile(File, &Iosb, All, sizeof(Buffer), FileAllInformation));
    CHECK(Iosb.Information == Fixed + Bytes && All->NameInformation.FileNameLength == Bytes);
    CHECK(!memcmp(All->NameInformation.FileName, Name, Bytes));
    CHECK(All->NameInformation.FileName[Bytes / sizeof(WCHAR)] == 0xdddd);
    STATUS(ZwQueryInformationFile(File, &Iosb, All, Fixed + Bytes - 2, FileAllInformation), STATUS_BUFFER_OVERFLOW);
    CHECK(Iosb.Information == Fixed + Bytes - 2);
    STATUS(ZwQueryInformationFile(File, &Iosb, All, Fixed + Bytes - 1, FileAllInformation), STATUS_BUFFER_OVERFLOW);
    CHECK(Iosb.Information == Fixed + Bytes - 2);
    for (ULONG More = 0; More < 3; More++) {
        OK(ZwQueryInformationFile(File, &Iosb, All, Fixed + Bytes + More, FileAllInformation));
        CHECK(Iosb.Information == Fixed + Bytes);
    }
    STATUS(ZwQueryInformationFile(File, &Iosb, All, sizeof(FILE_END_OF_FILE_INFORMATION), FileEndOfFileInformation),
           STATUS_INVALID_INFO_CLASS);
    OK(ZwClose(File));
}

/* What is opened by a drive's bare name says what the volume is, has no name below it, and is not the root directory. */
static VOID the_volume_is_asked_about_itself(VOID)
{
    FILE_FS_SIZE_INFORMATION Size;
    FILE_STANDARD_INFORMATION Standard;
    POBJECT_NAME_INFORMATION Dos;
    HANDLE Volume, Root;
    PFILE_OBJECT Object;
    UCHAR Buffer[512];
    OK(Ask(NULL, DRIVE, GENERIC_READ, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &Volume));
    OK(Ask(NULL, DRIVE L"\\", GENERIC_READ, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT, &Root));
    OK(ZwQueryVolumeInformationFile(Volume, &Iosb, &Size, sizeof(Size), FileFsSizeInformation));
    CHECK(Size.BytesPerSector == 512);
    STATUS(ZwQueryInformationFile(Volume, &Iosb, &Standard, sizeof(Standard), FileStandardInformation),
           STATUS_INVALID_PARAMETER);
    OK(ZwQueryInformationFile(Root, &Iosb, &Standard, sizeof(Standard), FileStandardInformation));
    CHECK(Standard.Directory);
    STATUS(ZwQueryDirectoryFile(Volume, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), FileDirectoryInformation, TRUE,
                                NULL, TRUE),
           STATUS_INVALID_PARAMETER);
    STATUS(ZwReadFile(Volume, NULL, NULL, NULL, &Iosb, Buffer, sizeof(Buffer), NULL, NULL),
           STATUS_INVALID_DEVICE_REQUEST);
    OK(ObReferenceObjectByHandle(Volume, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    CHECK(Object->Flags & FO_VOLUME_OPEN && !Object->FileName.Length);
    OK(IoQueryFileDosDeviceName(Object, &Dos));
    CHECK(Dos->Name.Length == 4 && !memcmp(Dos->Name.Buffer, L"C:", 4));
    ExFreePool(Dos);
    ObDereferenceObject(Object);
    OK(ZwClose(Root));
    OK(ZwClose(Volume));
}

/* A create that fails says so by its status alone. */
static VOID an_error_leaves_the_status_block(VOID)
{
    HANDLE File;
    Iosb.Status = 0x55555555;
    Iosb.Information = 77;
    STATUS(Ask(NULL, DRIVE L"\\none\\at all", GENERIC_READ, FILE_OPEN, 0, &File), STATUS_OBJECT_PATH_NOT_FOUND);
    CHECK(Iosb.Status == 0x55555555 && Iosb.Information == 77);
}

/* The file objects of one file have one SectionObjectPointer, whichever way led to it; a directory has none in use. */
static VOID one_file_has_one_section_pointer(VOID)
{
    static const struct {
        PCWSTR Parent, Name;
    } Ways[] = {{NULL, DRIVE L"\\dir\\a.exe"}, {DRIVE L"\\", L"dir\\a.exe"}, {DRIVE L"\\dir", L"A.EXE"}};
    HANDLE Parent[3] = {0}, File[3];
    PFILE_OBJECT Object[3];
    for (ULONG i = 0; i < 3; i++) {
        if (Ways[i].Parent)
            OK(Ask(NULL, Ways[i].Parent, GENERIC_READ, FILE_OPEN, 0, &Parent[i]));
        OK(Ask(Parent[i], Ways[i].Name, FILE_ALL_ACCESS, FILE_OPEN, 0, &File[i]));
        OK(ObReferenceObjectByHandle(File[i], 0, *IoFileObjectType, KernelMode, (PVOID *)&Object[i], NULL));
        CHECK(Object[i] != Object[0] || !i);
        CHECK(Object[i]->SectionObjectPointer && Object[i]->SectionObjectPointer == Object[0]->SectionObjectPointer);
    }
    for (ULONG i = 0; i < 3; i++) {
        ObDereferenceObject(Object[i]);
        OK(ZwClose(File[i]));
        if (Parent[i])
            OK(ZwClose(Parent[i]));
    }
}

TEST_MAIN(every_name_has_its_status, all_information_fits_any_buffer, the_volume_is_asked_about_itself,
          an_error_leaves_the_status_block, one_file_has_one_section_pointer)
