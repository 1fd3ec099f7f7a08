/*
 * In-machine tests: a driver that exports routines named Test* is a test driver for `irqlab test`. Each is called at
 * PASSIVE_LEVEL in a machine of its own, after DriverEntry and before the unload routine, and has passed when it returns
 * a success status, breaks no rule and leaves nothing behind. See docs/testing.md.
 *
 *     #include <ntddk.h>
 *     #include <irqlab/test.h>
 *
 *     TEST(Pool)
 *     {
 *         PVOID Block = ExAllocatePool2(POOL_FLAG_PAGED, 16, 'tseT');
 *         CHECK(Block != NULL);
 *         ExFreePool(Block);
 *     }
 *
 *     TEST_DRIVER()
 *
 * A CHECK that does not hold is printed with its place and the test goes on; REQUIRE leaves the test (it stands in the
 * TEST itself). The argument Driver is the driver's object.
 */
#pragma once

static volatile LONG IrqlabFailures;

static inline int IrqlabCheck(int Holds, const char *Text, const char *File, int Line)
{
    if (Holds)
        return 1;
    InterlockedIncrement(&IrqlabFailures);
    DbgPrint("%s:%d: does not hold: %s\n", File, Line, Text);
    return 0;
}

static inline int IrqlabStatus(NTSTATUS Got, NTSTATUS Want, const char *Text, const char *File, int Line)
{
    if (Got == Want)
        return 1;
    InterlockedIncrement(&IrqlabFailures);
    DbgPrint("%s:%d: %s is 0x%08x, expected 0x%08x\n", File, Line, Text, (ULONG)Got, (ULONG)Want);
    return 0;
}

#define CHECK(Condition) IrqlabCheck((Condition) ? 1 : 0, #Condition, __FILE__, __LINE__)
#define CHECK_STATUS(Expression, Want) IrqlabStatus((Expression), (Want), #Expression, __FILE__, __LINE__)
#define REQUIRE(Condition)                                                                                             \
    do {                                                                                                               \
        if (!CHECK(Condition))                                                                                         \
            return;                                                                                                    \
    } while (0)

#define TEST(Name)                                                                                                     \
    static void IrqlabBody##Name(PDRIVER_OBJECT Driver);                                                               \
    __declspec(dllexport) NTSTATUS NTAPI Test##Name(PDRIVER_OBJECT Driver)                                             \
    {                                                                                                                  \
        IrqlabFailures = 0;                                                                                            \
        IrqlabBody##Name(Driver);                                                                                      \
        return IrqlabFailures ? STATUS_UNSUCCESSFUL : STATUS_SUCCESS;                                                  \
    }                                                                                                                  \
    static void IrqlabBody##Name(PDRIVER_OBJECT Driver)

/* DriverEntry and an unload routine that do nothing, for a driver that is nothing but tests. */
#define TEST_DRIVER()                                                                                                  \
    static VOID NTAPI IrqlabUnload(PDRIVER_OBJECT Driver)                                                              \
    {                                                                                                                  \
        (void)Driver;                                                                                                  \
    }                                                                                                                  \
    NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING RegistryPath)                                    \
    {                                                                                                                  \
        (void)RegistryPath;                                                                                            \
        Driver->DriverUnload = IrqlabUnload;                                                                           \
        return STATUS_SUCCESS;                                                                                         \
    }
