/*
 * Registry callbacks: order by altitude, contexts, names, block, bypass, a changed result, unregistering; each
 * operation's classes, at PASSIVE_LEVEL.
 */
#include "key.h"

NTKERNELAPI NTSTATUS NTAPI CmCallbackGetKeyObjectIDEx(PLARGE_INTEGER, PVOID, PULONG_PTR, PCUNICODE_STRING *, ULONG);
NTKERNELAPI VOID NTAPI CmCallbackReleaseKeyObjectIDEx(PCUNICODE_STRING);

#define LOG 64

typedef struct _FILTER {
    LARGE_INTEGER Cookie;
    ULONG Name;      /* its letter in the log */
    ULONG Only;      /* the class to act on (~0: none), */
    NTSTATUS Answer; /* what to return for it */
} FILTER;

static FILTER High, Low;
static HANDLE Base;
static PVOID BaseObject;
static ULONG Log[LOG], Logged, Wrong;
static BOOLEAN Listening;
static ULONG Cleanups;

static VOID Note(FILTER *Filter, ULONG Class)
{
    if (Listening && Logged < LOG)
        Log[Logged++] = Filter->Name << 8 | Class;
    Wrong += KeGetCurrentIrql() != PASSIVE_LEVEL;
}

static NTSTATUS NTAPI Callback(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    FILTER *Filter = Context;
    ULONG Class = (ULONG)(ULONG_PTR)Argument1;
    if (Class == RegNtCallbackObjectContextCleanup) {
        PREG_CALLBACK_CONTEXT_CLEANUP_INFORMATION Cleanup = Argument2;
        Cleanups++;
        Wrong += Cleanup->ObjectContext != &Log;
        return STATUS_SUCCESS;
    }
    if (!Listening)
        return STATUS_SUCCESS;
    Note(Filter, Class);
    return Class == Filter->Only ? Filter->Answer : STATUS_SUCCESS;
}

static VOID Listen(VOID)
{
    Logged = 0;
    Listening = TRUE;
}

/* The log is these: letter and class, in order. */
static BOOLEAN Heard(ULONG Count, const ULONG *Want)
{
    Listening = FALSE;
    if (Logged == Count && !memcmp(Log, Want, Count * sizeof(ULONG)))
        return TRUE;
    for (ULONG i = 0; i < Logged; i++)
        DbgPrint("  heard %c %u\n", Log[i] >> 8, Log[i] & 0xff);
    return FALSE;
}

#define HEARD(...)                                                                                                     \
    ({                                                                                                                 \
        static const ULONG Want[] = {__VA_ARGS__};                                                                     \
        Heard(sizeof(Want) / sizeof(Want[0]), Want);                                                                   \
    })
#define H(Class) ('H' << 8 | (Class))
#define L(Class) ('L' << 8 | (Class))
#define AROUND(Pre, Post) HEARD(H(Pre), L(Pre), L(Post), H(Post))

static NTSTATUS Register(PEX_CALLBACK_FUNCTION Routine, PCWSTR Text, PVOID Context, PLARGE_INTEGER Cookie)
{
    UNICODE_STRING Altitude;
    RtlInitUnicodeString(&Altitude, Text);
    return CmRegisterCallbackEx(Routine, &Altitude, Driver, Context, Cookie, NULL);
}

static VOID callbacks_have_altitudes(VOID)
{
    LARGE_INTEGER Cookie;
    ULONG Major = 0, Minor = 9;
    CmGetCallbackVersion(&Major, &Minor);
    CHECK(Major == 1 && Minor == 0);
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Filtered", 0, NULL, &Base));
    OK(ObReferenceObjectByHandle(Base, 0, NULL, KernelMode, &BaseObject, NULL));
    Low.Name = 'L';
    High.Name = 'H';
    Low.Only = High.Only = ~0u;
    OK(Register(Callback, L"9999.5", &Low, &Low.Cookie));
    OK(Register(Callback, L"380000", &High, &High.Cookie));
    STATUS(Register(Callback, L"0380000.0", &High, &Cookie), STATUS_FLT_INSTANCE_ALTITUDE_COLLISION);
    STATUS(Register(Callback, L"high", &High, &Cookie), STATUS_INVALID_PARAMETER);
    STATUS(CmUnRegisterCallback((LARGE_INTEGER){.QuadPart = 1}), STATUS_INVALID_PARAMETER);
}

static VOID every_operation_is_told_before_and_after(VOID)
{
    HANDLE Key;
    ULONG Length, One = 1;
    UCHAR Room[64];
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"One");
    Listen();
    OK(KeyCreate(Base, L"k", 0, NULL, &Key));
    CHECK(AROUND(RegNtPreCreateKeyEx, RegNtPostCreateKeyEx));
    Listen();
    OK(KeySet(Key, L"One", REG_DWORD, &One, 4));
    CHECK(AROUND(RegNtPreSetValueKey, RegNtPostSetValueKey));
    Listen();
    OK(ZwQueryValueKey(Key, &Name, KeyValuePartialInformation, Room, sizeof(Room), &Length));
    CHECK(AROUND(RegNtPreQueryValueKey, RegNtPostQueryValueKey));
    Listen();
    OK(ZwEnumerateValueKey(Key, 0, KeyValuePartialInformation, Room, sizeof(Room), &Length));
    CHECK(AROUND(RegNtPreEnumerateValueKey, RegNtPostEnumerateValueKey));
    Listen();
    OK(ZwQueryKey(Key, KeyFullInformation, Room, sizeof(Room), &Length));
    CHECK(AROUND(RegNtPreQueryKey, RegNtPostQueryKey));
    Listen();
    OK(ZwEnumerateKey(Base, 0, KeyBasicInformation, Room, sizeof(Room), &Length));
    CHECK(AROUND(RegNtPreEnumerateKey, RegNtPostEnumerateKey));
    Listen();
    OK(KeyDeleteValue(Key, L"One"));
    CHECK(AROUND(RegNtPreDeleteValueKey, RegNtPostDeleteValueKey));
    Listen();
    OK(ZwFlushKey(Key));
    CHECK(AROUND(RegNtPreFlushKey, RegNtPostFlushKey));
    Listen();
    OK(ZwDeleteKey(Key));
    CHECK(AROUND(RegNtPreDeleteKey, RegNtPostDeleteKey));
    Listen();
    OK(ZwClose(Key));
    CHECK(AROUND(RegNtPreKeyHandleClose, RegNtPostKeyHandleClose));
    Listen();
    STATUS(KeyOpen(Base, L"k", 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    CHECK(AROUND(RegNtPreOpenKeyEx, RegNtPostOpenKeyEx));
}

static VOID who_blocks_ends_it_for_those_below(VOID)
{
    HANDLE Key;
    High.Only = RegNtPreCreateKeyEx;
    High.Answer = STATUS_ACCESS_DENIED;
    Listen();
    STATUS(KeyCreate(Base, L"blocked", 0, NULL, &Key), STATUS_ACCESS_DENIED);
    CHECK(HEARD(H(RegNtPreCreateKeyEx)));
    High.Only = ~0u;
    STATUS(KeyOpen(Base, L"blocked", 0, &Key), STATUS_OBJECT_NAME_NOT_FOUND);
    Low.Only = RegNtPreSetValueKey;
    Low.Answer = STATUS_CALLBACK_BYPASS;
    Listen();
    OK(KeySet(Base, L"Bypassed", REG_DWORD, &Logged, 4));
    CHECK(HEARD(H(RegNtPreSetValueKey), L(RegNtPreSetValueKey), H(RegNtPostSetValueKey)));
    Low.Only = ~0u;
    STATUS(KeyDeleteValue(Base, L"Bypassed"), STATUS_OBJECT_NAME_NOT_FOUND);
}

/* One that changes what a query returns, keeps contexts, and asks for names. */
static LARGE_INTEGER Third;
static ULONG Named, Carried;

static NTSTATUS NTAPI Changer(PVOID Context, PVOID Argument1, PVOID Argument2)
{
    REG_NOTIFY_CLASS Class = (REG_NOTIFY_CLASS)(ULONG_PTR)Argument1;
    PREG_QUERY_VALUE_KEY_INFORMATION Query = Argument2;
    PREG_POST_OPERATION_INFORMATION Post = Argument2;
    PCUNICODE_STRING Name = NULL;
    ULONG_PTR Id = 0;
    if (Class == RegNtPreQueryValueKey && Query->Object == BaseObject) {
        Query->CallContext = &Named;
        Wrong += CmCallbackGetKeyObjectIDEx(&Third, Query->Object, &Id, &Name, 0) != STATUS_SUCCESS || !Id;
        if (Name && Name->Length == 2 * 35 && !memcmp(Name->Buffer, L"\\REGISTRY\\MACHINE\\SOFTWARE\\Filtered", 2 * 35))
            Named++;
        CmCallbackReleaseKeyObjectIDEx(Name);
        Wrong += CmCallbackGetKeyObjectIDEx(&Third, NULL, &Id, &Name, 0) != STATUS_INVALID_PARAMETER;
        Wrong += CmGetBoundTransaction(&Third, Query->Object) != NULL;
    }
    if (Class == RegNtPostQueryValueKey && Post->Object == BaseObject) {
        PREG_QUERY_VALUE_KEY_INFORMATION Before = Post->PreInformation;
        Carried += Post->CallContext == &Named && Post->ObjectContext == &Log;
        if (NT_SUCCESS(Post->Status)) {
            *(PULONG)((PKEY_VALUE_PARTIAL_INFORMATION)Before->KeyValueInformation)->Data = 77;
        } else if (Post->Status == STATUS_OBJECT_NAME_NOT_FOUND) {
            Post->ReturnStatus = STATUS_ACCESS_DENIED;
            return STATUS_CALLBACK_BYPASS;
        }
    }
    if (Class == RegNtPostOpenKeyEx && NT_SUCCESS(Post->Status) && Context == &Third) {
        PREG_OPEN_KEY_INFORMATION_V1 Open = Post->PreInformation;
        UNICODE_STRING Secret = RTL_CONSTANT_STRING(L"secret");
        if (RtlEqualUnicodeString(Open->CompleteName, &Secret, TRUE)) {
            Wrong += Open->RootObject != BaseObject || Open->Version != 1;
            ObDereferenceObject(Post->Object);
            Post->ReturnStatus = STATUS_ACCESS_DENIED;
            return STATUS_CALLBACK_BYPASS;
        }
    }
    if (Class == RegNtCallbackObjectContextCleanup)
        Cleanups++;
    return STATUS_SUCCESS;
}

static VOID a_callback_changes_what_comes_back(VOID)
{
    ULONG One = 1, Number = 0;
    HANDLE Key, Denied;
    PVOID Old = &Number;
    OK(Register(Changer, L"20000", &Third, &Third));
    OK(CmSetCallbackObjectContext(BaseObject, &Third, &Number, &Old));
    CHECK(Old == NULL);
    OK(CmSetCallbackObjectContext(BaseObject, &Third, &Log, &Old));
    CHECK(Old == &Number);
    OK(KeySet(Base, L"One", REG_DWORD, &One, 4));
    OK(KeyNumber(Base, L"One", &Number));
    CHECK(Number == 77 && Named == 1 && Carried == 1);
    STATUS(KeyNumber(Base, L"None", &Number), STATUS_ACCESS_DENIED);
    OK(KeyCreate(Base, L"secret", 0, NULL, &Key));
    STATUS(KeyOpen(Base, L"Secret", 0, &Denied), STATUS_ACCESS_DENIED);
    OK(ZwDeleteKey(Key));
    OK(ZwClose(Key));
    Cleanups = 0;
    OK(CmUnRegisterCallback(Third));
    CHECK(Cleanups == 1);
    STATUS(CmUnRegisterCallback(Third), STATUS_INVALID_PARAMETER);
    OK(KeyNumber(Base, L"One", &Number));
    CHECK(Number == 1);
}

static VOID a_key_object_has_its_path_as_name(VOID)
{
    struct {
        OBJECT_NAME_INFORMATION Fixed;
        WCHAR Room[64];
    } Answer;
    ULONG Length = 0;
    Listen();
    STATUS(ObQueryNameString(BaseObject, &Answer.Fixed, sizeof(Answer.Fixed), &Length), STATUS_INFO_LENGTH_MISMATCH);
    CHECK(AROUND(RegNtPreQueryKeyName, RegNtPostQueryKeyName));
    CHECK(Length == sizeof(OBJECT_NAME_INFORMATION) + 2 * 36);
    OK(ObQueryNameString(BaseObject, &Answer.Fixed, sizeof(Answer), &Length));
    CHECK(Answer.Fixed.Name.Length == 2 * 35 &&
          !memcmp(Answer.Fixed.Name.Buffer, L"\\REGISTRY\\MACHINE\\SOFTWARE\\Filtered", 2 * 36));
    High.Only = RegNtPreQueryKeyName;
    High.Answer = STATUS_ACCESS_DENIED;
    Listen();
    STATUS(ObQueryNameString(BaseObject, &Answer.Fixed, sizeof(Answer), &Length), STATUS_ACCESS_DENIED);
    CHECK(HEARD(H(RegNtPreQueryKeyName)));
    High.Only = ~0u;
}

static VOID contexts_go_with_the_key_object(VOID)
{
    HANDLE Key;
    PVOID Object;
    OK(KeyCreate(Base, L"c", 0, NULL, &Key));
    OK(ObReferenceObjectByHandle(Key, 0, NULL, KernelMode, &Object, NULL));
    OK(CmSetCallbackObjectContext(Object, &High.Cookie, &Log, NULL));
    STATUS(CmSetCallbackObjectContext(Object, &Third, &Log, NULL), STATUS_INVALID_PARAMETER);
    ObDereferenceObject(Object);
    OK(ZwDeleteKey(Key));
    Cleanups = 0;
    OK(ZwClose(Key));
    CHECK(Cleanups == 1);
}

static VOID an_old_style_callback_is_called_too(VOID)
{
    LARGE_INTEGER Cookie;
    FILTER Old = {.Name = 'O', .Only = ~0u};
    OK(CmRegisterCallback(Callback, &Old, &Cookie));
    Listen();
    OK(ZwFlushKey(Base));
    CHECK(HEARD(H(RegNtPreFlushKey), L(RegNtPreFlushKey), 'O' << 8 | RegNtPreFlushKey, 'O' << 8 | RegNtPostFlushKey,
                L(RegNtPostFlushKey), H(RegNtPostFlushKey)));
    OK(CmUnRegisterCallback(Cookie));
    OK(CmUnRegisterCallback(High.Cookie));
    OK(CmUnRegisterCallback(Low.Cookie));
    CHECK(Wrong == 0);
    ObDereferenceObject(BaseObject);
    OK(ZwDeleteKey(Base));
    OK(ZwClose(Base));
}

TEST_MAIN(callbacks_have_altitudes, every_operation_is_told_before_and_after, who_blocks_ends_it_for_those_below,
          a_callback_changes_what_comes_back, a_key_object_has_its_path_as_name, contexts_go_with_the_key_object,
          an_old_style_callback_is_called_too)
