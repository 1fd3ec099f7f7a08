/* Calls and jumps through memory, one right behind the other, with accesses around them: each is a point of its own. */
#include <ntddk.h>

typedef LONG (*STEP)(LONG);

static LONG one(LONG n)
{
    return n + 1;
}

static LONG two(LONG n)
{
    return n * 2;
}

static volatile struct {
    STEP step[2];
    LONG n;
} state = {{one, two}, 1};

__attribute__((noinline)) static LONG through(volatile STEP *step, LONG n)
{
    n = step[0](n);
    n = step[1](n);
    state.n = n;
    return step[0](n); /* a jump, as optimised */
}

static VOID unload(PDRIVER_OBJECT driver)
{
    if (state.n != 4)
        KeBugCheckEx(0xE2, 1, (ULONG_PTR)state.n, 0, 0);
}

NTSTATUS DriverEntry(PDRIVER_OBJECT driver, PUNICODE_STRING path)
{
    driver->DriverUnload = unload;
    if (through(state.step, 1) != 5)
        KeBugCheckEx(0xE2, 2, 0, 0, 0);
    return STATUS_SUCCESS;
}
