/*
 * For drivers that test Plug and Play and power from inside: checks, counted; the sum is printed when the driver is unloaded.
 */
#pragma once
#include <ntifs.h>
#include <ntddk.h>

static ULONG Checks, Failures;

static void TestCheck(BOOLEAN Good, PCSTR Text, PCSTR Function, ULONG Line)
{
    Checks++;
    if (Good)
        return;
    Failures++;
    DbgPrint("FAIL %s, line %u: %s\n", Function, Line, Text);
}

static void TestStatus(NTSTATUS Got, NTSTATUS Want, PCSTR Text, PCSTR Function, ULONG Line)
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
#define SUM() DbgPrint("%u checks, %u failures\n", Checks, Failures)
