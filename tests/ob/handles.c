/*
 * Handles and references: kernel handles, attributes, duplicates, exclusive objects, wrong and stale handles, counts.
 * (docs: ObReferenceObjectByHandle, ZwDuplicateObject, ObOpenObjectByPointer, ZwQueryObject)
 */
#include "../io/test.h"

NTSYSAPI NTSTATUS NTAPI ZwDuplicateObject(HANDLE SourceProcess, HANDLE Source, HANDLE TargetProcess, PHANDLE Target,
                                          ACCESS_MASK Access, ULONG Attributes, ULONG Options);
NTSYSAPI NTSTATUS NTAPI ZwSetInformationObject(HANDLE Handle, ULONG Class, PVOID Buffer, ULONG Length);
NTKERNELAPI BOOLEAN NTAPI ObFindHandleForObject(PEPROCESS Process, PVOID Object, POBJECT_TYPE Type, PVOID Like,
                                                PHANDLE Handle);
NTSYSAPI NTSTATUS NTAPI ZwWaitForMultipleObjects(ULONG Count, PHANDLE Handles, WAIT_TYPE Type, BOOLEAN Alertable,
                                                 PLARGE_INTEGER Timeout);
NTKERNELAPI BOOLEAN NTAPI ObIsKernelHandle(HANDLE Handle);
NTKERNELAPI NTSTATUS NTAPI ObOpenObjectByName(POBJECT_ATTRIBUTES Attributes, POBJECT_TYPE Type, KPROCESSOR_MODE Mode,
                                              PACCESS_STATE State, ACCESS_MASK Access, PVOID Context, PHANDLE Handle);

static HANDLE NewEvent(ULONG Attributes, PCWSTR Name)
{
    OBJECT_ATTRIBUTES Object;
    UNICODE_STRING Text;
    HANDLE Handle = NULL;
    RtlInitUnicodeString(&Text, Name);
    InitializeObjectAttributes(&Object, Name ? &Text : NULL, Attributes, NULL, NULL);
    OK(ZwCreateEvent(&Handle, EVENT_ALL_ACCESS, &Object, NotificationEvent, FALSE));
    return Handle;
}

static PUBLIC_OBJECT_BASIC_INFORMATION Basic(HANDLE Handle)
{
    PUBLIC_OBJECT_BASIC_INFORMATION Information;
    ULONG Returned;
    OK(ZwQueryObject(Handle, ObjectBasicInformation, &Information, sizeof(Information), &Returned));
    CHECK(Returned == sizeof(Information));
    return Information;
}

static VOID kernel_handles_carry_the_upper_bits(VOID)
{
    HANDLE Kernel = NewEvent(OBJ_KERNEL_HANDLE, NULL), User = NewEvent(0, NULL);
    PVOID Object;
    CHECK(ObIsKernelHandle(Kernel));
    CHECK(!ObIsKernelHandle(User));
    CHECK(!ObIsKernelHandle(ZwCurrentProcess()) && !ObIsKernelHandle(ZwCurrentThread()));
    /* user mode can do nothing with one */
    STATUS(ObReferenceObjectByHandle(Kernel, 0, NULL, UserMode, &Object, NULL), STATUS_INVALID_HANDLE);
    STATUS(ObCloseHandle(Kernel, UserMode), STATUS_INVALID_HANDLE);
    OK(ObReferenceObjectByHandle(User, 0, *ExEventObjectType, UserMode, &Object, NULL));
    ObDereferenceObject(Object);
    OK(ObCloseHandle(Kernel, KernelMode));
    OK(ZwClose(User));
}

static VOID references_and_handles_are_counted(VOID)
{
    HANDLE First = NewEvent(OBJ_KERNEL_HANDLE, NULL), Second;
    PVOID Object;
    /* its handle's pointer, and that of the question */
    CHECK(Basic(First).PointerCount == 2 && Basic(First).HandleCount == 1);
    OK(ObReferenceObjectByHandle(First, EVENT_MODIFY_STATE, *ExEventObjectType, KernelMode, &Object, NULL));
    CHECK(Basic(First).PointerCount == 3 && Basic(First).HandleCount == 1);
    OK(ObOpenObjectByPointer(Object, OBJ_KERNEL_HANDLE, NULL, SYNCHRONIZE, *ExEventObjectType, KernelMode, &Second));
    CHECK(Basic(Second).PointerCount == 4 && Basic(Second).HandleCount == 2);
    CHECK(Basic(Second).GrantedAccess == SYNCHRONIZE);
    OK(ObReferenceObjectByPointer(Object, 0, *ExEventObjectType, KernelMode));
    CHECK(ObDereferenceObject(Object) == 3);
    OK(ZwClose(Second));
    OK(ZwClose(First));
    CHECK(ObDereferenceObject(Object) == 0);
}

static VOID types_are_compared(VOID)
{
    HANDLE Event = NewEvent(OBJ_KERNEL_HANDLE, NULL), Wrong;
    PVOID Object;
    STATUS(ObReferenceObjectByHandle(Event, 0, *PsThreadType, KernelMode, &Object, NULL), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ObReferenceObjectByHandle(ZwCurrentProcess(), 0, *PsThreadType, KernelMode, &Object, NULL),
           STATUS_OBJECT_TYPE_MISMATCH);
    OK(ObReferenceObjectByHandle(ZwCurrentProcess(), 0, *PsProcessType, KernelMode, &Object, NULL));
    CHECK(Object == PsGetCurrentProcess());
    ObDereferenceObject(Object);
    STATUS(ObReferenceObjectByHandle(NULL, 0, NULL, KernelMode, &Object, NULL), STATUS_INVALID_HANDLE);
    STATUS(ObReferenceObjectByHandle((HANDLE)0x7fff0, 0, NULL, KernelMode, &Object, NULL), STATUS_INVALID_HANDLE);
    OK(ObReferenceObjectByHandle(Event, 0, NULL, KernelMode, &Object, NULL));
    STATUS(ObReferenceObjectByPointer(Object, 0, *PsThreadType, KernelMode), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ObReferenceObjectByPointer(Object, 0, NULL, UserMode), STATUS_OBJECT_TYPE_MISMATCH);
    STATUS(ObOpenObjectByPointer(Object, 0, NULL, SYNCHRONIZE, *PsThreadType, KernelMode, &Wrong),
           STATUS_OBJECT_TYPE_MISMATCH);
    ObDereferenceObject(Object);
    OK(ZwClose(Event));
    /* a stale value names nothing for long */
    STATUS(ObReferenceObjectByHandle(Event, 0, NULL, KernelMode, &Object, NULL), STATUS_INVALID_HANDLE);
    STATUS(ZwSetEvent(Event, NULL), STATUS_INVALID_HANDLE);
}

static VOID access_is_checked_for_user_mode_only(VOID)
{
    HANDLE Full = NewEvent(0, NULL), Less;
    OBJECT_HANDLE_INFORMATION Held;
    PVOID Object;
    OK(ZwDuplicateObject(ZwCurrentProcess(), Full, ZwCurrentProcess(), &Less, SYNCHRONIZE, 0, 0));
    STATUS(ObReferenceObjectByHandle(Less, EVENT_MODIFY_STATE, *ExEventObjectType, UserMode, &Object, NULL),
           STATUS_ACCESS_DENIED);
    OK(ObReferenceObjectByHandle(Less, SYNCHRONIZE, *ExEventObjectType, UserMode, &Object, &Held));
    CHECK(Held.GrantedAccess == SYNCHRONIZE);
    ObDereferenceObject(Object);
    OK(ObReferenceObjectByHandle(Less, EVENT_MODIFY_STATE, *ExEventObjectType, KernelMode, &Object, NULL));
    ObDereferenceObject(Object);
    OK(ZwClose(Less));
    OK(ZwClose(Full));
}

static VOID duplicates_have_what_is_asked_for(VOID)
{
    HANDLE Event = NewEvent(OBJ_INHERIT, NULL), Copy;
    CHECK(Basic(Event).Attributes & OBJ_INHERIT);
    OK(ZwDuplicateObject(ZwCurrentProcess(), Event, ZwCurrentProcess(), &Copy, 0, 0, DUPLICATE_SAME_ACCESS));
    CHECK(Basic(Copy).GrantedAccess == EVENT_ALL_ACCESS && !(Basic(Copy).Attributes & OBJ_INHERIT));
    OK(ZwClose(Copy));
    OK(ZwDuplicateObject(ZwCurrentProcess(), Event, ZwCurrentProcess(), &Copy, GENERIC_READ, 0,
                         DUPLICATE_SAME_ATTRIBUTES | DUPLICATE_CLOSE_SOURCE));
    CHECK(Basic(Copy).Attributes & OBJ_INHERIT);
    CHECK(Basic(Copy).GrantedAccess == (STANDARD_RIGHTS_READ | EVENT_QUERY_STATE));
    STATUS(ZwSetEvent(Event, NULL), STATUS_INVALID_HANDLE); /* the source was closed */
    STATUS(ZwDuplicateObject(ZwCurrentProcess(), Event, ZwCurrentProcess(), &Event, 0, 0, DUPLICATE_SAME_ACCESS),
           STATUS_INVALID_HANDLE);
    STATUS(ZwDuplicateObject(Copy, Copy, ZwCurrentProcess(), &Event, 0, 0, 0), STATUS_OBJECT_TYPE_MISMATCH);
    OK(ZwClose(Copy));
    /* the current thread's pseudo handle becomes a real one */
    OK(ZwDuplicateObject(ZwCurrentProcess(), ZwCurrentThread(), ZwCurrentProcess(), &Copy, 0, OBJ_KERNEL_HANDLE,
                         DUPLICATE_SAME_ACCESS));
    CHECK(Copy != ZwCurrentThread() && ObIsKernelHandle(Copy));
    OK(ZwClose(Copy));
}

static VOID exclusive_objects_are_opened_by_their_process(VOID)
{
    static const WCHAR Name[] = L"\\BaseNamedObjects\\OnlyOne";
    HANDLE First = NewEvent(OBJ_EXCLUSIVE | OBJ_KERNEL_HANDLE, Name), Second;
    OBJECT_ATTRIBUTES Object;
    UNICODE_STRING Text;
    CHECK(Basic(First).Attributes & OBJ_EXCLUSIVE);
    RtlInitUnicodeString(&Text, Name);
    InitializeObjectAttributes(&Object, &Text, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenEvent(&Second, SYNCHRONIZE, &Object)); /* the same process */
    OK(ZwClose(Second));
    OK(ZwClose(First));
    First = NewEvent(OBJ_KERNEL_HANDLE, Name);
    Object.Attributes |= OBJ_EXCLUSIVE;
    STATUS(ZwOpenEvent(&Second, SYNCHRONIZE, &Object), STATUS_ACCESS_DENIED); /* shared already */
    OK(ZwClose(First));
    Object.Attributes |= OBJ_INHERIT;
    STATUS(ZwCreateEvent(&First, SYNCHRONIZE, &Object, NotificationEvent, FALSE), STATUS_INVALID_PARAMETER);
}

static VOID handle_flags_are_set_and_asked_for(VOID)
{
    struct {
        BOOLEAN Inherit, Protect;
    } Flags = {TRUE, TRUE};
    HANDLE Event = NewEvent(0, NULL);
    ULONG Returned;
    OK(ZwSetInformationObject(Event, 4, &Flags, sizeof(Flags)));
    RtlZeroMemory(&Flags, sizeof(Flags));
    OK(ZwQueryObject(Event, (OBJECT_INFORMATION_CLASS)4, &Flags, sizeof(Flags), &Returned));
    CHECK(Flags.Inherit && Flags.Protect);
    STATUS(ObCloseHandle(Event, UserMode), STATUS_HANDLE_NOT_CLOSABLE);
    Flags.Protect = FALSE;
    OK(ZwSetInformationObject(Event, 4, &Flags, sizeof(Flags)));
    STATUS(ZwSetInformationObject(Event, 4, &Flags, 1), STATUS_INFO_LENGTH_MISMATCH);
    STATUS(ZwSetInformationObject(Event, 0, &Flags, sizeof(Flags)), STATUS_INVALID_INFO_CLASS);
    OK(ZwClose(Event));
}

static VOID a_handle_is_found_for_its_object(VOID)
{
    HANDLE Event = NewEvent(OBJ_KERNEL_HANDLE, NULL), Found = NULL;
    PVOID Object;
    OK(ObReferenceObjectByHandle(Event, 0, NULL, KernelMode, &Object, NULL));
    CHECK(ObFindHandleForObject(PsInitialSystemProcess, Object, NULL, NULL, &Found));
    CHECK(Found == Event);
    CHECK(!ObFindHandleForObject(PsInitialSystemProcess, Object, *PsThreadType, NULL, &Found));
    OK(ZwClose(Event));
    CHECK(!ObFindHandleForObject(PsInitialSystemProcess, Object, NULL, NULL, &Found));
    ObDereferenceObject(Object);
}

/* docs: GetCurrentProcess, GetCurrentThread: closing a pseudo handle has no effect. No handle is no driver's mistake. */
static VOID pseudo_handles_are_closed_in_vain(VOID)
{
    OK(ZwClose(ZwCurrentProcess()));
    OK(ZwClose(ZwCurrentThread()));
    STATUS(ZwClose(NULL), STATUS_INVALID_HANDLE);
    STATUS(ZwClose((HANDLE)(LONG_PTR)(LONG)0x80000000), STATUS_INVALID_HANDLE);
    STATUS(ObCloseHandle((HANDLE)0x7ffffffc, UserMode), STATUS_INVALID_HANDLE);
}

/* docs: ZwQueryObject: what room the name and the type will take. */
static VOID the_basic_information_has_the_sizes_of_the_others(VOID)
{
    OBJECT_BASIC_INFORMATION Basic;
    OBJECT_ATTRIBUTES Object;
    UNICODE_STRING Text = RTL_CONSTANT_STRING(L"\\Windows");
    UCHAR Room[256];
    HANDLE Handle;
    ULONG Name, Type;
    InitializeObjectAttributes(&Object, &Text, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwOpenDirectoryObject(&Handle, DIRECTORY_QUERY, &Object));
    OK(ZwQueryObject(Handle, ObjectBasicInformation, &Basic, sizeof(Basic), NULL));
    OK(ZwQueryObject(Handle, ObjectNameInformation, Room, sizeof(Room), &Name));
    OK(ZwQueryObject(Handle, ObjectTypeInformation, Room, sizeof(Room), &Type));
    CHECK(Basic.NameInfoSize == Name && Basic.TypeInfoSize == Type);
    OK(ZwClose(Handle));
}

static VOID attributes_are_checked(VOID)
{
    OBJECT_ATTRIBUTES Object;
    HANDLE Handle;
    InitializeObjectAttributes(&Object, NULL, 0x80000000, NULL, NULL);
    Object.Attributes = 0x40000000;
    UNICODE_STRING Text = RTL_CONSTANT_STRING(L"\\BaseNamedObjects\\Bad");
    Object.ObjectName = &Text;
    STATUS(ZwCreateEvent(&Handle, SYNCHRONIZE, &Object, NotificationEvent, FALSE), STATUS_INVALID_PARAMETER);
    Object.Attributes = 0;
    Object.Length = 3;
    STATUS(ZwOpenEvent(&Handle, SYNCHRONIZE, &Object), STATUS_INVALID_PARAMETER);
    STATUS(ZwOpenEvent(&Handle, SYNCHRONIZE, NULL), STATUS_INVALID_PARAMETER);
}

/* The handles are read as a program's are: what is not there in user memory is a status for drivers, too. */
static VOID several_are_waited_for(VOID)
{
    LARGE_INTEGER Now = {.QuadPart = 0};
    HANDLE Two[2] = {NewEvent(OBJ_KERNEL_HANDLE, NULL), NewEvent(OBJ_KERNEL_HANDLE, NULL)};
    STATUS(ZwWaitForMultipleObjects(2, Two, WaitAny, FALSE, &Now), STATUS_TIMEOUT);
    OK(ZwSetEvent(Two[1], NULL));
    STATUS(ZwWaitForMultipleObjects(2, Two, WaitAny, FALSE, &Now), STATUS_WAIT_1);
    STATUS(ZwWaitForMultipleObjects(2, Two, WaitAll, FALSE, &Now), STATUS_TIMEOUT);
    OK(ZwSetEvent(Two[0], NULL));
    STATUS(ZwWaitForMultipleObjects(2, Two, WaitAll, FALSE, &Now), STATUS_SUCCESS);
    STATUS(ZwWaitForMultipleObjects(0, Two, WaitAll, FALSE, &Now), STATUS_INVALID_PARAMETER_1);
    STATUS(ZwWaitForMultipleObjects(65, Two, WaitAll, FALSE, &Now), STATUS_INVALID_PARAMETER_1);
    STATUS(ZwWaitForMultipleObjects(2, Two, (WAIT_TYPE)7, FALSE, &Now), STATUS_INVALID_PARAMETER_3);
    STATUS(ZwWaitForMultipleObjects(2, (PHANDLE)0x42424240, WaitAll, FALSE, &Now), STATUS_ACCESS_VIOLATION);
    OK(ZwClose(Two[0]));
    OK(ZwClose(Two[1]));
}

TEST_MAIN(kernel_handles_carry_the_upper_bits, pseudo_handles_are_closed_in_vain,
          the_basic_information_has_the_sizes_of_the_others, references_and_handles_are_counted, types_are_compared,
          access_is_checked_for_user_mode_only, duplicates_have_what_is_asked_for,
          exclusive_objects_are_opened_by_their_process, handle_flags_are_set_and_asked_for,
          a_handle_is_found_for_its_object, attributes_are_checked, several_are_waited_for)
