/*
 * For drivers that test the kernel from inside: a test is a function, a failure is a line; DriverEntry runs them all.
 */
#pragma once
#include <ntifs.h>
#include <ntddk.h>

static ULONG Checks, Failures;
static PDRIVER_OBJECT Driver;

static BOOLEAN TestCheck(BOOLEAN Good, PCSTR Text, PCSTR Function, ULONG Line)
{
    Checks++;
    if (Good)
        return TRUE;
    Failures++;
    DbgPrint("FAIL %s, line %u: %s\n", Function, Line, Text);
    return FALSE;
}

static VOID TestStatus(NTSTATUS Got, NTSTATUS Want, PCSTR Text, PCSTR Function, ULONG Line)
{
    Checks++;
    if (Got == Want)
        return;
    Failures++;
    DbgPrint("FAIL %s, line %u: %s is 0x%08x, not 0x%08x\n", Function, Line, Text, Got, Want);
}

#define CHECK(Condition) TestCheck((Condition) != 0, #Condition, __func__, __LINE__)
#define STATUS(Expression, Want) TestStatus((Expression), (Want), #Expression, __func__, __LINE__)
#define OK(Expression) STATUS(Expression, STATUS_SUCCESS)

typedef VOID TEST(VOID);

static VOID NTAPI TestUnload(PDRIVER_OBJECT DriverObject)
{
}

#define TEST_MAIN(...)                                                                                                 \
    NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)                              \
    {                                                                                                                  \
        static TEST *const Tests[] = {__VA_ARGS__};                                                                    \
        Driver = DriverObject;                                                                                         \
        DriverObject->DriverUnload = TestUnload;                                                                       \
        for (ULONG i = 0; i < sizeof(Tests) / sizeof(Tests[0]); i++)                                                   \
            Tests[i]();                                                                                                \
        DbgPrint("%u checks, %u failures\n", Checks, Failures);                                                        \
        return STATUS_SUCCESS;                                                                                         \
    }
