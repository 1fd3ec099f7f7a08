/*
 * Statuses merged and looked at, priorities of paging requests, hard errors, what is counted of reads and writes.
 * (docs: IoSetMasterIrpStatus, IoIsValidIrpStatus, IoGetPagingIoPriority, ZwQueryInformationProcess)
 */
#include "test.h"

NTSYSAPI NTSTATUS NTAPI ZwQueryInformationProcess(HANDLE, PROCESSINFOCLASS, PVOID, ULONG, PULONG);
NTSYSAPI NTSTATUS NTAPI ZwQueryInformationThread(HANDLE, THREADINFOCLASS, PVOID, ULONG, PULONG);
extern ULONG *Reads __asm__("__imp_IoReadOperationCount"), *Writes __asm__("__imp_IoWriteOperationCount");
extern LARGE_INTEGER *BytesRead __asm__("__imp_IoReadTransferCount");
extern LARGE_INTEGER *BytesWritten __asm__("__imp_IoWriteTransferCount");
NTKERNELAPI NTSTATUS NTAPI ExRaiseHardError(NTSTATUS, ULONG, ULONG, PULONG_PTR, ULONG, PULONG);

static NTSTATUS Merged(NTSTATUS Present, NTSTATUS More)
{
    IRP Irp = {.IoStatus.Status = Present};

    IoSetMasterIrpStatus(&Irp, More);
    return Irp.IoStatus.Status;
}

static VOID errors_win_over_success(VOID)
{
    STATUS(Merged(STATUS_SUCCESS, STATUS_IO_DEVICE_ERROR), STATUS_IO_DEVICE_ERROR);
    STATUS(Merged(STATUS_IO_DEVICE_ERROR, STATUS_SUCCESS), STATUS_IO_DEVICE_ERROR);
    STATUS(Merged(STATUS_BUFFER_OVERFLOW, STATUS_IO_DEVICE_ERROR), STATUS_IO_DEVICE_ERROR);
    STATUS(Merged(STATUS_IO_DEVICE_ERROR, STATUS_BUFFER_OVERFLOW), STATUS_IO_DEVICE_ERROR);
    STATUS(Merged(STATUS_IO_DEVICE_ERROR, STATUS_DISK_FULL), STATUS_IO_DEVICE_ERROR);
    STATUS(Merged(STATUS_IO_DEVICE_ERROR, STATUS_VERIFY_REQUIRED), STATUS_VERIFY_REQUIRED);
    STATUS(Merged(STATUS_SUCCESS, STATUS_FT_READ_FROM_COPY), STATUS_SUCCESS);
    STATUS(Merged(STATUS_FT_READ_FROM_COPY, STATUS_DISK_FULL), STATUS_DISK_FULL);
}

static VOID a_status_is_well_formed_or_not(VOID)
{
    CHECK(IoIsValidIrpStatus(STATUS_SUCCESS) && IoIsValidIrpStatus(STATUS_PENDING));
    CHECK(IoIsValidIrpStatus(STATUS_ACCESS_DENIED) && IoIsValidIrpStatus(STATUS_GRAPHICS_NO_VIDPNMGR));
    CHECK(IoIsValidIrpStatus((NTSTATUS)0xE1234567)); /* a customer's */
    CHECK(!IoIsValidIrpStatus((NTSTATUS)0xD0000001));
    CHECK(!IoIsValidIrpStatus((NTSTATUS)0x8BADF00D) && !IoIsValidIrpStatus((NTSTATUS)0xCCCCCCCC - 0));
}

static VOID only_paging_requests_have_a_priority(VOID)
{
    IRP Irp = {.Flags = IRP_NOCACHE};

    CHECK(IoGetPagingIoPriority(&Irp) == IoPagingPriorityInvalid);
    Irp.Flags = IRP_PAGING_IO;
    CHECK(IoGetPagingIoPriority(&Irp) == IoPagingPriorityNormal);
    Irp.Flags |= 0x8000;
    CHECK(IoGetPagingIoPriority(&Irp) == IoPagingPriorityHigh);
}

static VOID hard_errors_come_back_to_the_caller(VOID)
{
    UNICODE_STRING Text = RTL_CONSTANT_STRING(L"volume");
    ULONG_PTR Parameter = (ULONG_PTR)&Text;
    ULONG Response = 77;

    OK(ExRaiseHardError(STATUS_DISK_FULL, 1, 1, &Parameter, 1, &Response));
    CHECK(Response == 0);
    STATUS(ExRaiseHardError(STATUS_DISK_FULL, 6, 0, &Parameter, 1, &Response), STATUS_INVALID_PARAMETER_2);
    STATUS(ExRaiseHardError(STATUS_DISK_FULL, 1, 0, NULL, 1, &Response), STATUS_INVALID_PARAMETER_4);
}

static VOID reads_and_writes_are_counted(VOID)
{
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\??\\C:\\counted.txt");
    OBJECT_ATTRIBUTES Attributes;
    IO_STATUS_BLOCK Iosb;
    IO_COUNTERS Before, After;
    LARGE_INTEGER Start = {0};
    ULONG ReadsBefore = *Reads, WritesBefore = *Writes;
    LONGLONG Read = BytesRead->QuadPart, Written = BytesWritten->QuadPart;
    CHAR Buffer[100] = "text";
    HANDLE File;

    InitializeObjectAttributes(&Attributes, &Name, OBJ_KERNEL_HANDLE, NULL, NULL);
    OK(ZwCreateFile(&File, GENERIC_READ | GENERIC_WRITE | SYNCHRONIZE, &Attributes, &Iosb, NULL, 0, 0, FILE_SUPERSEDE,
                    FILE_SYNCHRONOUS_IO_NONALERT, NULL, 0));
    OK(ZwQueryInformationProcess(NtCurrentProcess(), 2 /* ProcessIoCounters */, &Before, sizeof(Before), NULL));
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Buffer, 60, &Start, NULL));
    OK(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 100, &Start, NULL));
    OK(ZwQueryInformationProcess(NtCurrentProcess(), 2, &After, sizeof(After), NULL));
    CHECK(*Reads == ReadsBefore + 1 && *Writes == WritesBefore + 1);
    CHECK(BytesRead->QuadPart == Read + 60 && BytesWritten->QuadPart == Written + 60);
    CHECK(After.ReadOperationCount == Before.ReadOperationCount + 1);
    CHECK(After.WriteTransferCount == Before.WriteTransferCount + 60);
    CHECK(After.ReadTransferCount == Before.ReadTransferCount + 60);
    STATUS(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, 100, NULL, NULL), STATUS_END_OF_FILE);
    CHECK(BytesRead->QuadPart == Read + 60 && *Reads == ReadsBefore + 2);
    ZwClose(File);
}

static VOID times_and_subsystems_are_told(VOID)
{
    KERNEL_USER_TIMES Times, Later;
    ULONG Subsystem = 7;

    OK(ZwQueryInformationThread(NtCurrentThread(), ThreadTimes, &Times, sizeof(Times), NULL));
    KeStallExecutionProcessor(100);
    OK(ZwQueryInformationThread(NtCurrentThread(), ThreadTimes, &Later, sizeof(Later), NULL));
    CHECK(Later.KernelTime.QuadPart - Times.KernelTime.QuadPart == 1000 && !Later.UserTime.QuadPart);
    OK(ZwQueryInformationThread(NtCurrentThread(), 45, &Subsystem, sizeof(Subsystem), NULL));
    CHECK(Subsystem == SubsystemInformationTypeWin32);
    OK(ZwQueryInformationProcess(NtCurrentProcess(), 75, &Subsystem, sizeof(Subsystem), NULL));
    CHECK(Subsystem == SubsystemInformationTypeWin32);
}

TEST_MAIN(errors_win_over_success, a_status_is_well_formed_or_not, only_paging_requests_have_a_priority,
          hard_errors_come_back_to_the_caller, reads_and_writes_are_counted, times_and_subsystems_are_told)
