/* Objects: names, links, handles, references, events, threads; and what is found when they are misused is in
 * tests/rules. */
#include "test.h"

NTKERNELAPI NTSTATUS NTAPI ObReferenceObjectByName(PUNICODE_STRING, ULONG, PACCESS_STATE, ACCESS_MASK, POBJECT_TYPE,
                                                   KPROCESSOR_MODE, PVOID, PVOID *);
NTKERNELAPI POBJECT_TYPE NTAPI ObGetObjectType(PVOID);
NTKERNELAPI NTSTATUS NTAPI PsGetThreadExitStatus(PETHREAD);
NTSYSAPI NTSTATUS NTAPI ZwResetEvent(HANDLE, PLONG);
extern POBJECT_TYPE *IoDriverObjectType;

static VOID Name(PUNICODE_STRING String, POBJECT_ATTRIBUTES Attributes, PCWSTR Text, ULONG Flags)
{
    RtlInitUnicodeString(String, Text);
    InitializeObjectAttributes(Attributes, String, Flags | OBJ_KERNEL_HANDLE, NULL, NULL);
}

static VOID the_driver_object_has_a_name(VOID)
{
    UNICODE_STRING String;
    PVOID Found;
    struct {
        OBJECT_NAME_INFORMATION Fixed;
        WCHAR Room[40];
    } Query;
    ULONG Length;
    RtlInitUnicodeString(&String, L"\\driver\\OBJECTS");
    OK(ObReferenceObjectByName(&String, OBJ_CASE_INSENSITIVE, NULL, 0, NULL, KernelMode, NULL, &Found));
    CHECK(Found == Driver);
    OK(ObQueryNameString(Found, &Query.Fixed, sizeof(Query), &Length));
    CHECK(Query.Fixed.Name.Length == 30 && !memcmp(Query.Fixed.Name.Buffer, L"\\Driver\\objects", 30));
    CHECK(Length == sizeof(OBJECT_NAME_INFORMATION) + 32);
    STATUS(ObQueryNameString(Found, &Query.Fixed, 20, &Length), STATUS_INFO_LENGTH_MISMATCH);
    ObDereferenceObject(Found);
    RtlInitUnicodeString(&String, L"\\Driver\\nobody");
    STATUS(ObReferenceObjectByName(&String, 0, NULL, 0, NULL, KernelMode, NULL, &Found), STATUS_OBJECT_NAME_NOT_FOUND);
    RtlInitUnicodeString(&String, L"\\Nowhere\\nobody");
    STATUS(ObReferenceObjectByName(&String, 0, NULL, 0, NULL, KernelMode, NULL, &Found), STATUS_OBJECT_PATH_NOT_FOUND);
    RtlInitUnicodeString(&String, L"Driver");
    STATUS(ObReferenceObjectByName(&String, 0, NULL, 0, NULL, KernelMode, NULL, &Found), STATUS_OBJECT_PATH_SYNTAX_BAD);
    RtlInitUnicodeString(&String, L"\\Driver\\objects");
    STATUS(ObReferenceObjectByName(&String, 0, NULL, 0, *ExEventObjectType, KernelMode, NULL, &Found),
           STATUS_OBJECT_TYPE_MISMATCH);
}

/* What ObQueryNameString says of the object behind a handle is this text. */
static BOOLEAN IsNamed(HANDLE Handle, PCWSTR Text)
{
    struct {
        OBJECT_NAME_INFORMATION Fixed;
        WCHAR Room[100];
    } Query;
    ULONG Length, Bytes = (ULONG)wcslen(Text) * sizeof(WCHAR);
    PVOID Object;
    OK(ObReferenceObjectByHandle(Handle, 0, NULL, KernelMode, &Object, NULL));
    OK(ObQueryNameString(Object, &Query.Fixed, sizeof(Query), &Length));
    ObDereferenceObject(Object);
    return Length == sizeof(Query.Fixed) + Bytes + sizeof(WCHAR) && Query.Fixed.Name.Length == Bytes &&
           !memcmp(Query.Fixed.Name.Buffer, Text, Bytes + sizeof(WCHAR));
}

/* docs: ObQueryNameString, ZwQueryObject: also of files and keys, which are not entered in the namespace. */
static VOID a_file_is_named_after_its_device_and_a_key_after_its_path(VOID)
{
    UNICODE_STRING String;
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    HANDLE File, Key;
    ULONG Length;
    struct {
        OBJECT_NAME_INFORMATION Fixed;
        WCHAR Room[100];
    } Query;
    Name(&String, &Attributes, L"\\??\\C:\\named.txt", 0);
    OK(ZwCreateFile(&File, DELETE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, 0, FILE_CREATE,
                    FILE_DELETE_ON_CLOSE | FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    CHECK(IsNamed(File, L"\\Device\\HarddiskVolume1\\named.txt"));
    OK(ZwQueryObject(File, ObjectNameInformation, &Query, sizeof(Query), &Length));
    CHECK(Query.Fixed.Name.Length == 33 * sizeof(WCHAR) && Length == sizeof(Query.Fixed) + 34 * sizeof(WCHAR));
    /* of a file's name the beginning comes, of other names nothing */
    STATUS(ZwQueryObject(File, ObjectNameInformation, &Query, Length - sizeof(WCHAR), &Length), STATUS_BUFFER_OVERFLOW);
    CHECK(Length == sizeof(Query.Fixed) + 34 * sizeof(WCHAR));
    CHECK(Query.Fixed.Name.Length == 32 * sizeof(WCHAR) && !Query.Fixed.Name.Buffer[32]);
    STATUS(ZwQueryObject(File, ObjectNameInformation, &Query, sizeof(Query.Fixed), &Length), STATUS_BUFFER_OVERFLOW);
    CHECK(!Query.Fixed.Name.Length && Length == sizeof(Query.Fixed) + 34 * sizeof(WCHAR));
    STATUS(ZwQueryObject(File, ObjectNameInformation, &Query, 8, &Length), STATUS_INFO_LENGTH_MISMATCH);
    OK(ZwClose(File));
    Name(&String, &Attributes, L"\\Registry\\Machine\\Software\\Named", OBJ_CASE_INSENSITIVE);
    OK(ZwCreateKey(&Key, KEY_ALL_ACCESS, &Attributes, 0, NULL, 0, NULL));
    CHECK(IsNamed(Key, L"\\REGISTRY\\MACHINE\\SOFTWARE\\Named"));
    STATUS(ZwQueryObject(Key, ObjectNameInformation, &Query, 40, &Length), STATUS_INFO_LENGTH_MISMATCH);
    OK(ZwDeleteKey(Key));
    STATUS(ZwQueryObject(Key, ObjectNameInformation, &Query, sizeof(Query), &Length), STATUS_KEY_DELETED);
    OK(ZwClose(Key));
}

static VOID events_have_names_and_are_opened_again(VOID)
{
    UNICODE_STRING String;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE First, Second;
    PVOID Object;
    LONG Before;
    LARGE_INTEGER Soon = {.QuadPart = -10000};
    Name(&String, &Attributes, L"\\BaseNamedObjects\\Test", 0);
    OK(ZwCreateEvent(&First, EVENT_ALL_ACCESS, &Attributes, SynchronizationEvent, FALSE));
    CHECK((ULONG_PTR)First >> 31 == 0x1ffffffff);
    STATUS(ZwCreateEvent(&Second, EVENT_ALL_ACCESS, &Attributes, SynchronizationEvent, FALSE),
           STATUS_OBJECT_NAME_COLLISION);
    Name(&String, &Attributes, L"\\BaseNamedObjects\\Test", OBJ_OPENIF);
    STATUS(ZwCreateEvent(&Second, EVENT_ALL_ACCESS, &Attributes, SynchronizationEvent, FALSE),
           STATUS_OBJECT_NAME_EXISTS);
    STATUS(ZwWaitForSingleObject(Second, FALSE, &Soon), STATUS_TIMEOUT);
    OK(ZwSetEvent(First, &Before));
    CHECK(Before == 0);
    OK(ZwWaitForSingleObject(Second, FALSE, NULL));
    STATUS(ZwWaitForSingleObject(Second, FALSE, &Soon), STATUS_TIMEOUT);
    OK(ZwSetEvent(First, NULL));
    OK(ZwResetEvent(First, &Before));
    CHECK(Before == 1);
    OK(ObReferenceObjectByHandle(First, EVENT_ALL_ACCESS, *ExEventObjectType, KernelMode, &Object, NULL));
    CHECK(ObGetObjectType(Object) == (POBJECT_TYPE)*ExEventObjectType);
    STATUS(ObReferenceObjectByHandle(First, 0, *IoFileObjectType, KernelMode, &Object, NULL),
           STATUS_OBJECT_TYPE_MISMATCH);
    OK(ObReferenceObjectByHandle(First, 0, NULL, KernelMode, &Object, NULL));
    ObDereferenceObject(Object);
    ObDereferenceObject(Object);
    OK(ZwClose(First));
    OK(ZwClose(Second));
    STATUS(ZwOpenEvent(&First, EVENT_ALL_ACCESS, &Attributes), STATUS_OBJECT_NAME_NOT_FOUND);
    STATUS(ObReferenceObjectByHandle((HANDLE)(ULONG_PTR)0x7ff8, 0, NULL, KernelMode, &Object, NULL),
           STATUS_INVALID_HANDLE);
    CHECK(Object == NULL);
    STATUS(ZwClose(NULL), STATUS_INVALID_HANDLE);
}

static ULONG Rings;
static BOOLEAN RungWrongly;

static VOID NTAPI Ring(PVOID Thread, ULONG Low, LONG High)
{
    LARGE_INTEGER Now, Then = {.LowPart = Low, .HighPart = High};
    KeQuerySystemTime(&Now);
    Rings++;
    if (KeGetCurrentIrql() != PASSIVE_LEVEL || Thread != KeGetCurrentThread() || Then.QuadPart > Now.QuadPart ||
        Now.QuadPart - Then.QuadPart > 50000)
        RungWrongly = TRUE;
}

static VOID NTAPI SetAndGo(PVOID Timer)
{
    LARGE_INTEGER Soon = {.QuadPart = -10000};
    OK(ZwSetTimer(Timer, &Soon, Ring, KeGetCurrentThread(), FALSE, 0, NULL));
    PsTerminateSystemThread(STATUS_SUCCESS);
}

/* docs: ZwSetTimer, ZwCancelTimer: the routine is called, with the time, in the thread that has set the timer. */
static VOID a_timer_calls_its_routine_in_the_thread_that_set_it(VOID)
{
    UNICODE_STRING String;
    OBJECT_ATTRIBUTES Attributes;
    LARGE_INTEGER Soon = {.QuadPart = -10000}, Late = {.QuadPart = -3000000000};
    LARGE_INTEGER Five = {.QuadPart = -55000};
    HANDLE Timer, Again, Other;
    BOOLEAN Before = 77;
    Name(&String, &Attributes, L"\\BaseNamedObjects\\Alarm", 0);
    OK(ZwCreateTimer(&Timer, TIMER_ALL_ACCESS, &Attributes, NotificationTimer));
    OK(ZwOpenTimer(&Again, TIMER_ALL_ACCESS, &Attributes));
    OK(ZwSetTimer(Again, &Late, Ring, KeGetCurrentThread(), FALSE, 0, &Before));
    CHECK(Before == FALSE);
    OK(ZwSetTimer(Again, &Soon, Ring, KeGetCurrentThread(), FALSE, 0, &Before)); /* instead of the first */
    OK(ZwWaitForSingleObject(Timer, FALSE, NULL));
    CHECK(Rings == 1 && !RungWrongly);
    OK(ZwCancelTimer(Timer, &Before));
    CHECK(Before == TRUE);
    OK(ZwSetTimer(Timer, &Soon, Ring, KeGetCurrentThread(), FALSE, 0, &Before));
    CHECK(Before == TRUE);
    OK(ZwCancelTimer(Timer, &Before));
    CHECK(Before == FALSE);
    KeDelayExecutionThread(KernelMode, FALSE, &Five);
    CHECK(Rings == 1); /* cancelled */
    OK(ZwSetTimer(Timer, &Soon, Ring, KeGetCurrentThread(), FALSE, 1, NULL));
    KeDelayExecutionThread(KernelMode, FALSE, &Five);
    CHECK(Rings == 6 && !RungWrongly);
    OK(ZwSetTimer(Timer, &Soon, NULL, NULL, FALSE, 0, NULL));
    KeDelayExecutionThread(KernelMode, FALSE, &Five);
    CHECK(Rings == 6);
    KeEnterCriticalRegion(); /* holds a normal kernel APC off */
    OK(ZwSetTimer(Timer, &Soon, Ring, KeGetCurrentThread(), FALSE, 0, NULL));
    KeDelayExecutionThread(KernelMode, FALSE, &Five);
    CHECK(Rings == 6);
    KeLeaveCriticalRegion();
    CHECK(Rings == 7);
    OK(PsCreateSystemThread(&Other, THREAD_ALL_ACCESS, NULL, NULL, NULL, SetAndGo, Timer));
    OK(ZwWaitForSingleObject(Other, FALSE, NULL));
    KeDelayExecutionThread(KernelMode, FALSE, &Five);
    CHECK(Rings == 7); /* its thread has gone */
    STATUS(ZwSetTimer(Timer, &Soon, Ring, NULL, FALSE, -1, NULL), STATUS_INVALID_PARAMETER_6);
    OK(ZwSetTimer(Timer, &Soon, Ring, KeGetCurrentThread(), FALSE, 0, NULL));
    OK(ZwClose(Other));
    OK(ZwClose(Timer));
    OK(ZwClose(Again)); /* with the routine still to come */
    KeDelayExecutionThread(KernelMode, FALSE, &Five);
    CHECK(!RungWrongly);
}

static VOID a_named_event_of_io_begins_signalled(VOID)
{
    UNICODE_STRING String = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\Io");
    HANDLE Handle, Again;
    PKEVENT Event = IoCreateNotificationEvent(&String, &Handle);
    CHECK(Event && KeReadStateEvent(Event) == 1);
    KeClearEvent(Event);
    CHECK(IoCreateNotificationEvent(&String, &Again) == Event && KeReadStateEvent(Event) == 0);
    OK(ZwClose(Again));
    OK(ZwClose(Handle));
}

static VOID links_lead_on_and_are_read(VOID)
{
    UNICODE_STRING String, Target;
    OBJECT_ATTRIBUTES Attributes;
    HANDLE Handle, Directory;
    WCHAR Buffer[40];
    ULONG Length;
    PVOID Found;
    Name(&String, &Attributes, L"\\??\\C:", OBJ_CASE_INSENSITIVE);
    OK(ZwOpenSymbolicLinkObject(&Handle, GENERIC_READ, &Attributes));
    Target = (UNICODE_STRING){0, sizeof(Buffer), Buffer};
    OK(ZwQuerySymbolicLinkObject(Handle, &Target, &Length));
    CHECK(Target.Length == 46 && Length == 48 && !memcmp(Buffer, L"\\Device\\HarddiskVolume1", 46));
    Target.MaximumLength = 4;
    STATUS(ZwQuerySymbolicLinkObject(Handle, &Target, NULL), STATUS_BUFFER_TOO_SMALL);
    OK(ZwClose(Handle));
    Name(&String, &Attributes, L"\\TestDirectory", 0);
    OK(ZwCreateDirectoryObject(&Directory, DIRECTORY_ALL_ACCESS, &Attributes));
    RtlInitUnicodeString(&String, L"\\TestDirectory\\Loop");
    OK(IoCreateSymbolicLink(&String, &String));
    STATUS(ObReferenceObjectByName(&String, 0, NULL, 0, NULL, KernelMode, NULL, &Found), STATUS_OBJECT_NAME_INVALID);
    OK(IoDeleteSymbolicLink(&String));
    RtlInitUnicodeString(&String, L"\\TestDirectory\\To");
    RtlInitUnicodeString(&Target, L"\\Driver");
    OK(IoCreateSymbolicLink(&String, &Target));
    RtlInitUnicodeString(&String, L"\\TestDirectory\\To\\objects");
    OK(ObReferenceObjectByName(&String, 0, NULL, 0, NULL, KernelMode, NULL, &Found));
    CHECK(Found == Driver);
    ObDereferenceObject(Found);
    RtlInitUnicodeString(&String, L"To");
    Attributes.ObjectName = &String;
    Attributes.RootDirectory = Directory;
    OK(ZwOpenSymbolicLinkObject(&Handle, GENERIC_READ, &Attributes));
    OK(ZwMakeTemporaryObject(Handle));
    OK(ZwClose(Handle));
    STATUS(ZwOpenSymbolicLinkObject(&Handle, GENERIC_READ, &Attributes), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(Directory));
    Name(&String, &Attributes, L"\\TestDirectory", 0);
    STATUS(ZwOpenDirectoryObject(&Directory, GENERIC_READ, &Attributes), STATUS_OBJECT_NAME_NOT_FOUND);
}

static ULONG Notified[2];
static ULONG ThreadRuns;

static VOID NTAPI ThreadNotify(HANDLE Process, HANDLE Thread, BOOLEAN Create)
{
    CHECK(Process == PsGetProcessId(PsInitialSystemProcess) && KeGetCurrentIrql() <= APC_LEVEL);
    Notified[Create]++;
}

static VOID NTAPI ThreadRoutine(PVOID Context)
{
    PETHREAD Thread;
    CHECK(Context == &ThreadRuns && KeGetCurrentIrql() == PASSIVE_LEVEL);
    CHECK(PsGetCurrentProcess() == PsInitialSystemProcess && PsGetCurrentProcessId() == (HANDLE)4);
    OK(PsLookupThreadByThreadId(PsGetCurrentThreadId(), &Thread));
    CHECK(Thread == PsGetCurrentThread() && PsIsSystemThread(Thread));
    ObDereferenceObject(Thread);
    ThreadRuns++;
    if (ThreadRuns == 2)
        PsTerminateSystemThread(STATUS_ALERTED);
}

static VOID threads_begin_end_and_are_waited_for(VOID)
{
    HANDLE Handle, Id;
    CLIENT_ID Cid;
    PVOID Thread;
    PETHREAD Found;
    OK(PsSetCreateThreadNotifyRoutine(ThreadNotify));
    for (ULONG i = 1; i <= 2; i++) {
        OK(PsCreateSystemThread(&Handle, THREAD_ALL_ACCESS, NULL, NULL, &Cid, ThreadRoutine, &ThreadRuns));
        OK(ObReferenceObjectByHandle(Handle, THREAD_ALL_ACCESS, *PsThreadType, KernelMode, &Thread, NULL));
        OK(ZwClose(Handle));
        CHECK(Cid.UniqueProcess == (HANDLE)4 && ((ULONG_PTR)Cid.UniqueThread & 3) == 0);
        OK(KeWaitForSingleObject(Thread, Executive, KernelMode, FALSE, NULL));
        CHECK(ThreadRuns == i);
        STATUS(PsGetThreadExitStatus(Thread), i == 2 ? STATUS_ALERTED : STATUS_SUCCESS);
        Id = PsGetThreadId(Thread);
        CHECK(Id == Cid.UniqueThread);
        ObDereferenceObject(Thread);
        STATUS(PsLookupThreadByThreadId(Id, &Found), STATUS_INVALID_PARAMETER);
    }
    CHECK(Notified[TRUE] == 2 && Notified[FALSE] == 2);
    OK(PsRemoveCreateThreadNotifyRoutine(ThreadNotify));
    STATUS(PsRemoveCreateThreadNotifyRoutine(ThreadNotify), STATUS_PROCEDURE_NOT_FOUND);
}

static VOID the_system_process_is_found(VOID)
{
    PEPROCESS Process;
    ULONG Major, Minor, Build;
    OK(PsLookupProcessByProcessId((HANDLE)4, &Process));
    CHECK(Process == PsInitialSystemProcess);
    ObDereferenceObject(Process);
    STATUS(PsLookupProcessByProcessId((HANDLE)4000, &Process), STATUS_INVALID_PARAMETER);
    STATUS(PsLookupProcessByProcessId(PsGetCurrentThreadId(), &Process), STATUS_INVALID_PARAMETER);
    PsGetVersion(&Major, &Minor, &Build, NULL);
    CHECK(Major == 10 && Minor == 0 && Build == 19045);
}

TEST_MAIN(the_driver_object_has_a_name, a_file_is_named_after_its_device_and_a_key_after_its_path,
          events_have_names_and_are_opened_again, a_named_event_of_io_begins_signalled,
          a_timer_calls_its_routine_in_the_thread_that_set_it, links_lead_on_and_are_read,
          threads_begin_end_and_are_waited_for, the_system_process_is_found)
