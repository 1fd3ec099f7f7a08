/*
 * Fast I/O: the calls that need no request because the driver has a routine for them. FALSE: it has none, or its routine
 * declined; send a request. (docs: FAST_IO_DISPATCH)
 */
#include "nt.h"

#define HAS(Fast, Routine)                                                                                             \
    ((Fast) && (Fast)->SizeOfFastIoDispatch > FIELD_OFFSET(FAST_IO_DISPATCH, Routine) && (Fast)->Routine)

/* docs: for a synchronous file that is cached. FALSE: send a request. */
BOOLEAN IopFastTransfer(PFILE_OBJECT File, PDEVICE_OBJECT Device, BOOLEAN Read, PVOID Buffer, ULONG Bytes,
                        PLARGE_INTEGER Offset, PULONG Key, PIO_STATUS_BLOCK Iosb)
{
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    IO_STATUS_BLOCK Result = {0};
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (!File->PrivateCacheMap || !(File->Flags & FO_SYNCHRONOUS_IO) || (File->Flags & FO_NO_INTERMEDIATE_BUFFERING) ||
        (Read ? !HAS(Fast, FastIoRead) : !HAS(Fast, FastIoWrite)))
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o",
             Read ? (PVOID)(ULONG_PTR)Fast->FastIoRead : (PVOID)(ULONG_PTR)Fast->FastIoWrite, Device);
    Done = Read ? Fast->FastIoRead(File, Offset, Bytes, TRUE, Key ? *Key : 0, Buffer, &Result, Device)
                : Fast->FastIoWrite(File, Offset, Bytes, TRUE, Key ? *Key : 0, Buffer, &Result, Device);
    VfLeaveCallback(&Callback);
    if (!Done || (Result.Status != STATUS_SUCCESS && Result.Status != STATUS_BUFFER_OVERFLOW &&
                  Result.Status != STATUS_END_OF_FILE))
        return FALSE;
    *Iosb = Result;
    return TRUE;
}

/* docs: FAST_IO_DISPATCH; DeviceIoControl: asked before a request is made, with the caller's own buffers, which the I/O manager has
 * probed unless the code's method is METHOD_NEITHER. FALSE: send a request. */
BOOLEAN IopFastControl(PFILE_OBJECT File, PDEVICE_OBJECT Device, ULONG Code, PVOID In, ULONG InBytes, PVOID Out,
                       ULONG OutBytes, PIO_STATUS_BLOCK Result)
{
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (!HAS(Fast, FastIoDeviceControl))
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o", (PVOID)(ULONG_PTR)Fast->FastIoDeviceControl,
             Device);
    Done = Fast->FastIoDeviceControl(File, TRUE, In, InBytes, Out, OutBytes, Code, Result, Device);
    VfLeaveCallback(&Callback);
    return Done;
}

BOOLEAN IopFastLock(PFILE_OBJECT File, PDEVICE_OBJECT Device, BOOLEAN Lock, PLARGE_INTEGER Offset,
                    PLARGE_INTEGER Length, ULONG Key, BOOLEAN FailImmediately, BOOLEAN Exclusive, PIO_STATUS_BLOCK Iosb)
{
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    PEPROCESS Process = PsGetCurrentProcess();
    IO_STATUS_BLOCK Result = {0};
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (Lock ? !HAS(Fast, FastIoLock) : !HAS(Fast, FastIoUnlockSingle))
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o",
             Lock ? (PVOID)(ULONG_PTR)Fast->FastIoLock : (PVOID)(ULONG_PTR)Fast->FastIoUnlockSingle, Device);
    Done = Lock ? Fast->FastIoLock(File, Offset, Length, Process, Key, FailImmediately, Exclusive, &Result, Device)
                : Fast->FastIoUnlockSingle(File, Offset, Length, Process, Key, &Result, Device);
    VfLeaveCallback(&Callback);
    if (Done)
        *Iosb = Result;
    return Done;
}

/* docs: FAST_IO_DISPATCH; FastIoQueryBasicInfo, FastIoQueryStandardInfo, FastIoQueryNetworkOpenInfo: of a file whose
 * requests are synchronous; may wait. The buffer is as large as the class. */
BOOLEAN IopFastQuery(PFILE_OBJECT File, PDEVICE_OBJECT Device, FILE_INFORMATION_CLASS Class, PVOID Buffer,
                     PIO_STATUS_BLOCK Iosb)
{
    PFAST_IO_DISPATCH Fast = Device->DriverObject->FastIoDispatch;
    PFAST_IO_QUERY_BASIC_INFO Routine = NULL; /* all three are called alike */
    IO_STATUS_BLOCK Result = {0};
    VF_CALLBACK Callback;
    BOOLEAN Done;
    if (!(File->Flags & FO_SYNCHRONOUS_IO))
        return FALSE;
    if (Class == FileBasicInformation && HAS(Fast, FastIoQueryBasicInfo))
        Routine = Fast->FastIoQueryBasicInfo;
    else if (Class == FileStandardInformation && HAS(Fast, FastIoQueryStandardInfo))
        Routine = (PVOID)(ULONG_PTR)Fast->FastIoQueryStandardInfo;
    else if (Class == FileNetworkOpenInformation && HAS(Fast, FastIoQueryNetworkOpenInfo))
        Routine = (PVOID)(ULONG_PTR)Fast->FastIoQueryNetworkOpenInfo;
    if (!Routine)
        return FALSE;
    IopEnter(&Callback, "FAST_IO_DISPATCH", "fast I/O of device %o", (PVOID)(ULONG_PTR)Routine, Device);
    Done = Routine(File, TRUE, Buffer, &Result, Device);
    VfLeaveCallback(&Callback);
    if (Done)
        *Iosb = Result;
    return Done;
}
