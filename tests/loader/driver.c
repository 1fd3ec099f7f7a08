/*
 * A driver with a little of everything the loader handles: imports by name and by ordinal, relocated pointers, exports,
 * a security cookie and guard pointers in its load configuration, PAGE and INIT sections, a jump table, and the inlined
 * privileged instructions of the DDK headers. Built with each of the three tool chains; test_image.c maps it,
 * test_patch.c also calls its exports.
 */
#include <ntddk.h>

DRIVER_INITIALIZE DriverEntry;

#define EXPORT __declspec(dllexport)

__attribute__((section("PAGE"))) NTSTATUS PagedWork(PVOID Context);
__attribute__((section("INIT"))) NTSTATUS InitWork(PDRIVER_OBJECT Driver);

ULONG_PTR __security_cookie = 0x00002B992DDFA232;
static void *GuardCheck = (void *)0xC0DE0001;
static void *GuardDispatch = (void *)0xC0DE0002;

/* The public layout, up to the guard pointers. */
const struct {
    ULONG Size, TimeDateStamp;
    ULONG Fill[20];
    ULONG_PTR SecurityCookie, SEHandlerTable, SEHandlerCount;
    void *GuardCFCheck, *GuardCFDispatch;
    ULONG_PTR GuardCFTable, GuardCFCount;
    ULONG GuardFlags;
    ULONG CodeIntegrity[3];
} _load_config_used __attribute__((used)) = {
    .Size = sizeof(_load_config_used),
    .SecurityCookie = (ULONG_PTR)&__security_cookie,
    .GuardCFCheck = &GuardCheck,
    .GuardCFDispatch = &GuardDispatch,
    .GuardFlags = 0x100,
};

EXPORT volatile LONG Counter = 5;
EXPORT volatile LONG *volatile CounterPointer = &Counter; /* a relocation */

EXPORT ULONG RaiseAndLower(ULONG Level)
{
    KIRQL Old;
    ULONG Seen;
    KeRaiseIrql((KIRQL)Level, &Old);
    Seen = KeGetCurrentIrql();
    KeLowerIrql(Old);
    return Seen << 8 | Old;
}

EXPORT ULONG MaskInterrupts(ULONG Value)
{
    __asm__ volatile("cli" ::: "memory");
    Value = Value * 3 + *CounterPointer;
    __asm__ volatile("sti" ::: "memory");
    return Value;
}

EXPORT void SpinUntil(volatile LONG *Flag)
{
    while (*Flag == 0)
        YieldProcessor();
}

EXPORT ULONGLONG ReadTicks(void)
{
    return *(volatile ULONGLONG *)0xFFFFF78000000320ull;
}

EXPORT ULONG Switch(ULONG Value)
{
    ULONG Result = 7;
    switch (Value) {
    case 0:
        __asm__ volatile("cli" ::: "memory");
        Result = 11;
        break;
    case 1:
        Result = Counter;
        break;
    case 2:
        __asm__ volatile("sti" ::: "memory");
        Result = Counter * 5;
        break;
    case 3:
        YieldProcessor();
        Result = Counter + 1;
        break;
    case 4:
        DbgPrint("four\n");
        break;
    case 5:
        __asm__ volatile("cli" ::: "memory");
        Counter++;
        __asm__ volatile("sti" ::: "memory");
        break;
    case 6:
        Result = (ULONG)__readcr8() + Counter;
        break;
    }
    return Result;
}

EXPORT ULONG Identify(void)
{
    ULONG A = 0, B, C, D;
    __asm__ volatile("cpuid" : "+a"(A), "=b"(B), "=c"(C), "=d"(D));
    return A ^ B ^ C ^ D;
}

NTSTATUS PagedWork(PVOID Context)
{
    DbgPrint("paged %p\n", Context);
    return STATUS_SUCCESS;
}

static VOID Unload(PDRIVER_OBJECT Driver)
{
    DbgPrint("unload %p\n", Driver);
}

NTSTATUS InitWork(PDRIVER_OBJECT Driver)
{
    Driver->DriverUnload = Unload;
    return PagedWork(Driver);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    KEVENT Event;
    KeInitializeEvent(&Event, NotificationEvent, FALSE);
    KeSetEvent(&Event, 0, FALSE);
    return InitWork(Driver);
}
