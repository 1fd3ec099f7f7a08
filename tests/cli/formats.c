/* Text formatted by the C library's routines that kernel mode has; swprintf in both of its forms. Also built as C++. */
#include <ntddk.h>
#include <stdio.h>
#include <stdarg.h>
static int Later(WCHAR *To, const WCHAR *Format, ...)
{
    va_list Arguments;
    va_start(Arguments, Format);
    int Count = vswprintf(To, Format, Arguments);
    va_end(Arguments);
    return Count;
}
#ifdef __cplusplus
extern "C"
#endif
    DRIVER_INITIALIZE DriverEntry;
NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    char Narrow[64];
    WCHAR Wide[64], Small[4];
    int Plain = sprintf(Narrow, "%s %d", "one", 1);
    int Bounded = _snprintf(Narrow + Plain, sizeof(Narrow) - Plain, " %04x", 0x2b);
    DbgPrint("narrow: %s, %d %d\n", Narrow, Plain, Bounded);
    Plain = swprintf(Wide, L"%ls %u", L"two", 2);
    Bounded = swprintf(Wide + Plain, 64 - Plain, L" %c", L'x');
    DbgPrint("wide: %ws, %d %d\n", Wide, Plain, Bounded);
    Bounded = swprintf(Small, 4, L"%d", 12345);
    DbgPrint("cut: %ws, %d\n", Small, Bounded);
    Plain = Later(Wide, L"%x", 0xabc);
    DbgPrint("later: %ws, %d\n", Wide, Plain);
    return STATUS_SUCCESS;
}
