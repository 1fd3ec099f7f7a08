/*
 * Hives: a key saved to a file and restored from it is the same; hives are loaded, changed, flushed, unloaded (also by force,
 * and later), restored, replaced; the callbacks see each of it and block it.
 */
#include "hives.h"

static HANDLE Base;

/* ---- What is saved ------------------------------------------------------------------------------------------------ */

static VOID Number(PWSTR Text, ULONG n)
{
    for (ULONG i = 0; i < 6; i++, n /= 10)
        Text[5 - i] = (WCHAR)(L'0' + n % 10);
    Text[6] = 0;
}

/* Values of every size that is stored in another way, names in both widths, a class, a link, many subkeys, deep ones. */
static VOID FillBase(VOID)
{
    static const ULONG Sizes[] = {0, 1, 3, 4, 5, 100, 4100, 16344, 16345, 50000};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"Classy"), Class = RTL_CONSTANT_STRING(L"A class");
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Key, Deep;
    WCHAR Text[8];
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Hives", 0, NULL, &Base));
    for (ULONG i = 0; i < 50000; i++)
        Image[i] = (UCHAR)(i * 7 + i / 256);
    for (ULONG i = 0; i < sizeof(Sizes) / sizeof(Sizes[0]); i++) {
        Number(Text, Sizes[i]);
        OK(KeySet(Base, Text, REG_BINARY + i * 100, Image, Sizes[i]));
    }
    OK(KeySet(Base, L"", REG_SZ, L"default", 16));
    OK(KeySet(Base, L"na\u00efve", REG_DWORD, Image, 4));
    OK(KeySet(Base, L"\u0436\u0438\u0437\u043d\u044c", REG_DWORD, Image, 4));
    OK(KeyCreate(Base, L"\u0434\u043e\u043c", 0, NULL, &Key));
    OK(ZwClose(Key));
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, Base, NULL);
    OK(ZwCreateKey(&Key, KEY_ALL_ACCESS, &Attributes, 0, &Class, 0, NULL));
    OK(ZwClose(Key));
    OK(KeyCreate(Base, L"Link", REG_OPTION_CREATE_LINK, NULL, &Key));
    OK(KeySet(Key, L"SymbolicLinkValue", REG_LINK, L"\\Registry\\Machine\\SOFTWARE", 52));
    OK(ZwClose(Key));
    OK(KeyCreate(Base, L"Gone", REG_OPTION_VOLATILE, NULL, &Key));
    OK(ZwClose(Key));
    OK(KeyCreate(Base, L"Many", 0, NULL, &Key));
    for (ULONG i = 0; i < 1200; i++) {
        HANDLE Sub;
        Number(Text, i);
        if (!NT_SUCCESS(KeyCreate(Key, Text, 0, NULL, &Sub)))
            break;
        ZwClose(Sub);
    }
    OK(ZwClose(Key));
    OK(KeyCreate(Base, L"Deep", 0, NULL, &Key));
    for (ULONG i = 0; i < 40; i++) {
        OK(KeyCreate(Key, L"Deeper", 0, NULL, &Deep));
        OK(ZwClose(Key));
        Key = Deep;
    }
    OK(ZwClose(Key));
}

/* ---- The same? ---------------------------------------------------------------------------------------------------- */

static UCHAR One[70000], Other[70000];

static BOOLEAN SameBytes(NTSTATUS First, ULONG FirstBytes, NTSTATUS Second, ULONG SecondBytes)
{
    return First == Second && (!NT_SUCCESS(First) || (FirstBytes == SecondBytes && !memcmp(One, Other, FirstBytes)));
}

static BOOLEAN SameSecurity(HANDLE A, HANDLE B)
{
    ULONG n = 0, m = 0;
    NTSTATUS First = ZwQuerySecurityObject(A, 7, One, sizeof(One), &n),
             Second = ZwQuerySecurityObject(B, 7, Other, sizeof(Other), &m);
    return SameBytes(First, n, Second, m);
}

/* Keys are compared with what is below them, but for the volatile one. Returns how many there were; 0 = they differ. */
static ULONG Same(HANDLE A, HANDLE B)
{
    ULONG n = 0, m = 0, Count = 1;
    NTSTATUS Status = STATUS_SUCCESS;
    for (ULONG i = 0; NT_SUCCESS(Status); i++) {
        Status = ZwEnumerateValueKey(A, i, KeyValueFullInformation, One, sizeof(One), &n);
        NTSTATUS Second = ZwEnumerateValueKey(B, i, KeyValueFullInformation, Other, sizeof(Other), &m);
        if (!SameBytes(Status, n, Second, m))
            return 0;
    }
    if (!SameSecurity(A, B))
        return 0;
    for (ULONG i = 0, k = 0;; i++, k++) {
        static UCHAR Room[600]; /* of no use once subkeys are looked at: a stack is small */
        PKEY_NODE_INFORMATION Node = (PVOID)Room;
        HANDLE SubA, SubB;
        Status = ZwEnumerateKey(A, i, KeyNodeInformation, Room, sizeof(Room), &n);
        if (NT_SUCCESS(Status) && Node->NameLength == 8 && !memcmp(Node->Name, L"Gone", 8))
            Status = ZwEnumerateKey(A, ++i, KeyNodeInformation, Room, sizeof(Room), &n);
        if (NT_SUCCESS(Status))
            memcpy(One, Room, n);
        NTSTATUS Second = ZwEnumerateKey(B, k, KeyNodeInformation, Other, sizeof(Other), &m);
        if (!SameBytes(Status, n, Second, m))
            return 0;
        if (!NT_SUCCESS(Status))
            return Count;
        static WCHAR Text[300];
        memcpy(Text, Node->Name, Node->NameLength);
        Text[Node->NameLength / 2] = 0;
        if (!NT_SUCCESS(KeyOpen(A, Text, OBJ_OPENLINK, &SubA)) || !NT_SUCCESS(KeyOpen(B, Text, OBJ_OPENLINK, &SubB)))
            return 0;
        ULONG Below = Same(SubA, SubB);
        ZwClose(SubA);
        ZwClose(SubB);
        if (!Below)
            return 0;
        Count += Below;
    }
}

static VOID what_is_saved_is_restored(VOID)
{
    static const ULONG Formats[] = {REG_STANDARD_FORMAT, REG_LATEST_FORMAT};
    HANDLE Copy, File, Junk;
    FillBase();
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Copy", 0, NULL, &Copy));
    for (ULONG i = 0; i < 2; i++) {
        OK(KeyCreate(Copy, L"Junk", 0, NULL, &Junk)); /* what is there goes */
        OK(KeySet(Copy, L"Junk", REG_DWORD, Image, 4));
        OK(ZwClose(Junk));
        OK(FileOpen(L"saved.hiv", FILE_OVERWRITE_IF, &File));
        OK(ZwSaveKeyEx(Base, File, Formats[i]));
        OK(ZwRestoreKey(Copy, File, 0));
        OK(ZwClose(File));
        CHECK(Same(Base, Copy) == 1 + 1 + 1 + 1 + 1201 + 41);
    }
    OK(FileOpen(L"saved.hiv", FILE_OPEN, &File));
    STATUS(ZwSaveKeyEx(Base, File, 3), STATUS_INVALID_PARAMETER);
    STATUS(ZwSaveKeyEx(Base, File, REG_NO_COMPRESSION), STATUS_INVALID_PARAMETER); /* no hive's root */
    STATUS(ZwSaveKey(File, File), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ZwSaveKey(Base, Base), STATUS_OBJECT_TYPE_MISMATCH);
    OK(KeyOpen(Copy, L"Many", 0, &Junk));
    STATUS(ZwRestoreKey(Copy, File, 0), STATUS_ACCESS_DENIED); /* a subkey is open */
    OK(ZwRestoreKey(Copy, File, REG_FORCE_RESTORE));
    STATUS(KeySet(Junk, L"x", REG_DWORD, Image, 4), STATUS_KEY_DELETED);
    OK(ZwClose(Junk));
    CHECK(Same(Base, Copy) > 1200);
    STATUS(ZwRestoreKey(Copy, File, 0x100), STATUS_INVALID_PARAMETER);
    OK(ZwClose(File));
    OK(ZwClose(Copy));
}

/* ---- Loading ------------------------------------------------------------------------------------------------------ */

#define LOADED L"\\Registry\\Machine\\Loaded"

static VOID a_hive_is_loaded_and_unloaded(VOID)
{
    HANDLE Key, Again;
    ULONG Value = 0;
    OK(Load(LOADED, L"saved.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    CHECK(Same(Base, Key) > 1200);
    STATUS(ZwDeleteKey(Key), STATUS_CANNOT_DELETE);
    OK(KeySet(Key, L"Added", REG_DWORD, Image + 1, 4));
    STATUS(Load(LOADED, L"other.hiv"), STATUS_OBJECT_NAME_COLLISION);
    STATUS(Load(LOADED L"2", L"saved.hiv"), STATUS_SHARING_VIOLATION); /* its file is the hive's */
    STATUS(Load(L"\\Registry\\Machine\\SOFTWARE\\Loaded", L"other.hiv"), STATUS_INVALID_PARAMETER);
    STATUS(Load(L"\\Registry\\Loaded", L"other.hiv"), STATUS_INVALID_PARAMETER);
    STATUS(Unload(LOADED, 0), STATUS_CANNOT_DELETE); /* it is open */
    STATUS(Unload(L"\\Registry\\Machine\\SOFTWARE", 0), STATUS_INVALID_PARAMETER);
    STATUS(Unload(LOADED, 8), STATUS_INVALID_PARAMETER);
    OK(ZwFlushKey(Key));
    OK(ZwClose(Key));
    OK(Unload(LOADED, 0));
    STATUS(KeyOpen(NULL, LOADED, 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(Load(LOADED, L"saved.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    OK(KeyNumber(Key, L"Added", &Value)); /* what was written is there */
    CHECK(Value == *(PULONG)(Image + 1));
    OK(KeySet(Key, L"Late", REG_DWORD, Image, 4));
    OK(Unload(LOADED, REG_FORCE_UNLOAD));
    STATUS(KeySet(Key, L"x", REG_DWORD, Image, 4), STATUS_KEY_DELETED);
    OK(ZwClose(Key));
    OK(Load(LOADED, L"saved.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Again));
    OK(KeyNumber(Again, L"Late", &Value)); /* by unloading, too */
    OK(ZwClose(Again));
    OK(Unload(LOADED, 0));
}

static VOID a_hive_goes_when_its_keys_are_closed(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(LOADED);
    OBJECT_ATTRIBUTES Attributes, EventAttributes;
    LARGE_INTEGER Now = {0};
    HANDLE Key, Sub, Event, File;
    InitializeObjectAttributes(&EventAttributes, NULL, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateEvent(&Event, EVENT_ALL_ACCESS, &EventAttributes, NotificationEvent, FALSE));
    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    OK(Load(LOADED, L"new.hiv")); /* a file that was not there becomes an empty hive */
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    OK(KeyCreate(Key, L"Sub", 0, NULL, &Sub));
    STATUS(ZwUnloadKeyEx(&Attributes, Event), STATUS_PENDING);
    OK(ZwClose(Key));
    STATUS(ZwWaitForSingleObject(Event, FALSE, &Now), STATUS_TIMEOUT);
    OK(ZwClose(Sub));
    OK(ZwWaitForSingleObject(Event, FALSE, &Now));
    STATUS(KeyOpen(NULL, LOADED, 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(FileOpen(L"new.hiv", FILE_OPEN, &File));
    CHECK(FileRead(File) == 8192 && !memcmp(Image, "regf", 4));
    OK(ZwClose(File));
    OK(Load(LOADED, L"new.hiv"));
    OK(ZwUnloadKeyEx(&Attributes, Event)); /* nothing is open: at once */
    OK(ZwWaitForSingleObject(Event, FALSE, &Now));
    OK(ZwClose(Event));
}

static VOID a_root_handle_comes_with_it(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(LOADED), Path = RTL_CONSTANT_STRING(VOLUME L"new.hiv");
    OBJECT_ATTRIBUTES Target, Source;
    HANDLE Root = NULL, File;
    InitializeObjectAttributes(&Target, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    InitializeObjectAttributes(&Source, &Path, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    STATUS(ZwLoadKeyEx(&Target, &Source, 0x8000, NULL, NULL, 0, NULL, NULL), STATUS_INVALID_PARAMETER);
    OK(ZwLoadKeyEx(&Target, &Source, REG_NO_LAZY_FLUSH, NULL, NULL, KEY_ALL_ACCESS, &Root, NULL));
    OK(KeySet(Root, L"Lost", REG_DWORD, Image, 4));
    OK(ZwRestoreKey(Root, NULL, REG_REFRESH_HIVE)); /* back to what the file says */
    STATUS(KeyDeleteValue(Root, L"Lost"), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(FileOpen(L"saved.hiv", FILE_OPEN, &File));
    OK(ZwSaveKeyEx(Root, File, REG_NO_COMPRESSION)); /* shorter than what was there */
    CHECK(FileRead(File) == 8192);
    OK(ZwSaveKeyEx(Base, File, REG_LATEST_FORMAT));
    OK(ZwClose(File));
    OK(ZwClose(Root));
    OK(Unload(LOADED, 0));
}

static VOID a_file_is_replaced(VOID)
{
    HANDLE Key;
    ULONG Value;
    OK(Load(LOADED, L"new.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    STATUS(Replace(Base, L"saved.hiv", L"old.hiv"), STATUS_INVALID_PARAMETER); /* no hive with a file */
    STATUS(Replace(Key, L"none.hiv", L"old.hiv"), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(KeySet(Key, L"Old", REG_DWORD, Image, 4));
    OK(Replace(Key, L"saved.hiv", L"old.hiv"));
    OK(KeyNumber(Key, L"Old", &Value)); /* it goes on as it was */
    OK(ZwClose(Key));
    OK(Unload(LOADED, 0));
    OK(Load(LOADED, L"new.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    CHECK(Same(Base, Key) > 1200); /* and is the other one then */
    OK(ZwClose(Key));
    OK(Unload(LOADED, 0));
    OK(Load(LOADED, L"old.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    OK(KeyNumber(Key, L"Old", &Value));
    OK(ZwClose(Key));
    OK(Unload(LOADED, 0));
}

/* ---- Callbacks ---------------------------------------------------------------------------------------------------- */

static ULONG Seen[MaxRegNtNotifyClass], Block = MaxRegNtNotifyClass;

static NTSTATUS NTAPI Callback(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    REG_NOTIFY_CLASS Class = (REG_NOTIFY_CLASS)(ULONG_PTR)Argument1;
    Seen[Class]++;
    if (Class == RegNtPreLoadKey) {
        PREG_LOAD_KEY_INFORMATION Information = Argument2;
        CHECK(Information->SourceFile->Length > 16 && Information->KeyName->Length == sizeof(LOADED) - 2);
    }
    if (Class == RegNtPreSaveKey)
        CHECK(((PREG_SAVE_KEY_INFORMATION)Argument2)->Format == REG_STANDARD_FORMAT);
    return (ULONG)Class == Block ? STATUS_ACCESS_DENIED : STATUS_SUCCESS;
}

/* docs: RegLoadAppKey: only the handle leads there, and the hive goes with the last one. */
static NTSTATUS LoadApp(PCWSTR KeyName, PCWSTR File, ULONG Flags, PHANDLE Root)
{
    WCHAR Buffer[100];
    UNICODE_STRING Name, Path;
    OBJECT_ATTRIBUTES Target, Source;
    RtlInitUnicodeString(&Name, KeyName);
    InitializeObjectAttributes(&Target, &Name, OBJ_KERNEL_HANDLE | OBJ_CASE_INSENSITIVE, NULL, NULL);
    FilePath(File, Buffer, &Path, &Source);
    return ZwLoadKeyEx(&Target, &Source, REG_APP_HIVE | Flags, NULL, NULL, KEY_ALL_ACCESS, Root, NULL);
}

static VOID an_application_hive_is_reached_by_its_handle(VOID)
{
    HANDLE Root = NULL, Second = NULL, Key, File;
    ULONG Five = 5, Number = 0;
    OK(LoadApp(L"\\Registry\\A\\mine", L"app.dat", 0, &Root));
    OK(KeyCreate(Root, L"below", 0, NULL, &Key));
    OK(KeySet(Key, L"five", REG_DWORD, &Five, 4));
    OK(ZwClose(Key));
    STATUS(KeyOpen(NULL, L"\\Registry\\A\\mine", 0, &Key), STATUS_ACCESS_DENIED);
    STATUS(KeyOpen(NULL, L"\\Registry\\A", 0, &Key), STATUS_ACCESS_DENIED);
    OK(LoadApp(L"\\Registry\\A\\other", L"app.dat", 0, &Second)); /* the same hive once more */
    OK(KeyOpen(Second, L"below", 0, &Key));
    OK(ZwClose(Key));
    STATUS(LoadApp(L"\\Registry\\A\\third", L"app.dat", REG_PROCESS_PRIVATE, &Key), STATUS_SHARING_VIOLATION);
    STATUS(FileOpen(L"app.dat", FILE_OPEN, &File), STATUS_SHARING_VIOLATION);
    OK(ZwClose(Root));
    OK(ZwClose(Second));
    OK(FileOpen(L"app.dat", FILE_OPEN, &File)); /* it has gone, and was written */
    OK(ZwClose(File));
    OK(LoadApp(L"\\Registry\\A\\mine", L"app.dat", REG_PROCESS_PRIVATE, &Root));
    OK(KeyOpen(Root, L"below", 0, &Key));
    OK(KeyNumber(Key, L"five", &Number));
    CHECK(Number == 5);
    OK(ZwClose(Key));
    STATUS(LoadApp(L"\\Registry\\A\\mine", L"app.dat", 0, &Key), STATUS_SHARING_VIOLATION);
    OK(ZwClose(Root));
    STATUS(LoadApp(L"\\Registry\\Machine\\mine", L"app.dat", 0, &Key), STATUS_INVALID_PARAMETER);
    STATUS(LoadApp(L"\\Registry\\A\\a\\b", L"app.dat", 0, &Key), STATUS_INVALID_PARAMETER);
}

static VOID callbacks_see_hives(VOID)
{
    UNICODE_STRING Altitude = RTL_CONSTANT_STRING(L"1000");
    LARGE_INTEGER Cookie;
    HANDLE Key, File;
    OK(FileOpen(L"again.hiv", FILE_OVERWRITE_IF, &File));
    OK(CmRegisterCallbackEx(Callback, &Altitude, Driver, NULL, &Cookie, NULL));
    OK(Load(LOADED, L"old.hiv"));
    OK(KeyOpen(NULL, LOADED, 0, &Key));
    OK(ZwSaveKey(Key, File));
    OK(ZwRestoreKey(Key, File, 0));
    OK(Replace(Key, L"new.hiv", L"older.hiv"));
    OK(ZwClose(Key));
    OK(Unload(LOADED, 0));
    CHECK(Seen[RegNtPreLoadKey] == 1 && Seen[RegNtPostLoadKey] == 1 && Seen[RegNtPreUnLoadKey] == 1 &&
          Seen[RegNtPostUnLoadKey] == 1 && Seen[RegNtPreSaveKey] == 1 && Seen[RegNtPostSaveKey] == 1 &&
          Seen[RegNtPreRestoreKey] == 1 && Seen[RegNtPostRestoreKey] == 1 && Seen[RegNtPreReplaceKey] == 1 &&
          Seen[RegNtPostReplaceKey] == 1);
    Block = RegNtPreLoadKey;
    STATUS(Load(LOADED, L"old.hiv"), STATUS_ACCESS_DENIED);
    STATUS(KeyOpen(NULL, LOADED, 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    Block = RegNtPreSaveKey;
    STATUS(ZwSaveKey(Base, File), STATUS_ACCESS_DENIED);
    Block = RegNtPreRestoreKey;
    STATUS(ZwRestoreKey(Base, File, 0), STATUS_ACCESS_DENIED);
    OK(CmUnRegisterCallback(Cookie));
    OK(ZwClose(File));
    OK(ZwClose(Base));
}

TEST_MAIN(what_is_saved_is_restored, a_hive_is_loaded_and_unloaded, a_hive_goes_when_its_keys_are_closed,
          a_root_handle_comes_with_it, a_file_is_replaced, an_application_hive_is_reached_by_its_handle,
          callbacks_see_hives)
