/*
 * A driver's words to the system log, and hard errors. (docs: IoAllocateErrorLogEntry, IO_ERROR_LOG_PACKET,
 * IoRaiseInformationalHardError)
 *
 * EXPECT: error log: \\Device\\Errors, code 0xc0040011, status 0xc0000185: first, second
 * EXPECT: error log: \\Driver\\errors, code 0x00000007, status 0x00000000
 * EXPECT: error log: unnamed device, code 0x00000008, status 0x00000000: no end
 * EXPECT: hard error 0xc000007f: full
 * EXPECT: hard error 0xc000007f
 * EXPECT: hard error 0xc0000011: words
 * EXPECT: 32 checks, 0 failures
 * EXPECT: FATAL_UNHANDLED_HARD_ERROR
 * EXPECT: SUMMARY: irqlab: driver.bugcheck errors.c:
 * STATUS: 1
 */
#include "../io/test.h"

NTKERNELAPI NTSTATUS NTAPI ExRaiseHardError(NTSTATUS, ULONG, ULONG, PULONG_PTR, ULONG, PULONG);

static PIO_ERROR_LOG_PACKET Packet(PVOID Object, ULONG Code, NTSTATUS Status, PCWSTR Strings, ULONG Bytes, USHORT Count)
{
    PIO_ERROR_LOG_PACKET New = IoAllocateErrorLogEntry(Object, (UCHAR)(sizeof(IO_ERROR_LOG_PACKET) + Bytes));

    if (!CHECK(New != NULL))
        return NULL;
    New->ErrorCode = (NTSTATUS)Code;
    New->FinalStatus = Status;
    New->NumberOfStrings = Count;
    New->StringOffset = sizeof(IO_ERROR_LOG_PACKET);
    RtlCopyMemory((PUCHAR)New + New->StringOffset, Strings, Bytes);
    return New;
}

static VOID packets_have_a_size(VOID)
{
    CHECK(!IoAllocateErrorLogEntry(NULL, sizeof(IO_ERROR_LOG_PACKET)));
    CHECK(!IoAllocateErrorLogEntry(Driver, sizeof(IO_ERROR_LOG_PACKET) - 1));
    CHECK(!IoAllocateErrorLogEntry(Driver, ERROR_LOG_MAXIMUM_SIZE + 1));
    PVOID Most = IoAllocateErrorLogEntry(Driver, ERROR_LOG_MAXIMUM_SIZE);
    CHECK(Most != NULL);
    IoFreeErrorLogEntry(Most); /* not written */
}

static VOID packets_are_written(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Device\\Errors");
    PDEVICE_OBJECT Named, Unnamed;
    static const WCHAR Two[] = L"first\0second";

    OK(IoCreateDevice(Driver, 0, &Name, FILE_DEVICE_UNKNOWN, 0, FALSE, &Named));
    OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Unnamed));
    IoWriteErrorLogEntry(Packet(Named, 0xC0040011, STATUS_IO_DEVICE_ERROR, Two, sizeof(Two), 2));
    IoWriteErrorLogEntry(Packet(Driver, 7, STATUS_SUCCESS, L"", 0, 0));
    IoWriteErrorLogEntry(Packet(Unnamed, 8, STATUS_SUCCESS, L"no end", 6 * sizeof(WCHAR), 3));
    IoDeleteDevice(Named);
    IoDeleteDevice(Unnamed);
}

#define OVERRIDE 0x10000000 /* HARDERROR_OVERRIDE_ERRORMODE */

static VOID hard_errors_are_answered(VOID)
{
    UNICODE_STRING Text = RTL_CONSTANT_STRING(L"full"), Words = RTL_CONSTANT_STRING(L"words");
    ULONG_PTR Parameter = (ULONG_PTR)&Text;
    ULONG Response;

    for (ULONG Option = 0; Option <= 8; Option++) { /* OptionAbortRetryIgnore to OptionCancelTryContinue */
        if (Option == 6)                            /* OptionShutdownSystem */
            continue;
        Response = 77;
        STATUS(ExRaiseHardError(STATUS_DISK_FULL, 1, 1, &Parameter, Option, &Response), STATUS_SUCCESS);
        CHECK(Response == 0); /* ResponseReturnToCaller: nobody is there to choose */
    }
    CHECK(IoSetThreadHardErrorMode(FALSE));
    CHECK(!IoRaiseInformationalHardError(STATUS_END_OF_FILE, &Words, NULL));
    OK(ExRaiseHardError(STATUS_DISK_FULL, 1, 1, &Parameter, 1, &Response));      /* not said */
    OK(ExRaiseHardError(STATUS_DISK_FULL | OVERRIDE, 0, 0, NULL, 1, &Response)); /* said all the same */
    CHECK(!IoSetThreadHardErrorMode(TRUE));
    CHECK(IoRaiseInformationalHardError(STATUS_END_OF_FILE, &Words, NULL));
    OK(ExRaiseHardError(STATUS_SUCCESS, 0, 0, NULL, 6, &Response)); /* no error, no shutdown */
    DbgPrint("%u checks, %u failures\n", Checks, Failures);
    ExRaiseHardError(STATUS_DISK_FULL, 1, 1, &Parameter, 6, &Response);
}

TEST_MAIN(packets_have_a_size, packets_are_written, hard_errors_are_answered)
