/*
 * Hard errors: what a driver would have the user decide (a disk to insert, a door to close).
 *
 * Nobody sits before this machine, so every question has the answer of a system without a session that could ask: the
 * request goes back to its caller with the error it has. The words are remarks in the report.
 * A question that may shut the system down does (FATAL_UNHANDLED_HARD_ERROR), because nobody can answer otherwise.
 * (docs: IoRaiseHardError, IoRaiseInformationalHardError, IoSetThreadHardErrorMode, IoSetHardErrorOrVerifyDevice)
 */
#include "nt.h"

#define IOP_HARD_ERROR_PARAMETERS 5
#define IOP_HARD_ERROR_OVERRIDE 0x10000000 /* HARDERROR_OVERRIDE_ERRORMODE: said whatever the thread's mode */

typedef struct _IOP_HARD_ERROR {
    KAPC Apc;
    PIRP Irp;
} IOP_HARD_ERROR, *PIOP_HARD_ERROR;

BOOLEAN NTAPI IoSetThreadHardErrorMode(BOOLEAN EnableHardErrors)
{
    PETHREAD Thread = (PETHREAD)KeGetCurrentThread();
    BOOLEAN Old = !Thread->HardErrorsDisabled;
    Thread->HardErrorsDisabled = !EnableHardErrors;
    return Old;
}

static VOID IopReturnError(PIRP Irp)
{
    Irp->IoStatus.Information = 0;
    IofCompleteRequest(Irp, IO_DISK_INCREMENT);
}

static VOID NTAPI IopHardErrorKernel(PKAPC Apc, PKNORMAL_ROUTINE *Normal, PVOID *Context, PVOID *A, PVOID *B)
{
}

static VOID NTAPI IopHardErrorNormal(PVOID Context, PVOID A, PVOID B)
{
    PIOP_HARD_ERROR Error = Context;
    PIRP Irp = Error->Irp;
    ExpFree(Error);
    IopReturnError(Irp);
}

static VOID NTAPI IopHardErrorRundown(PKAPC Apc)
{
    IopHardErrorNormal(CONTAINING_RECORD(Apc, IOP_HARD_ERROR, Apc), NULL, NULL);
}

/* docs: IoRaiseHardError: a normal APC in the thread of the request completes it; a driver may have to hold off APCs for
 * that long. */
VOID NTAPI IoRaiseHardError(PIRP Irp, PVPB Vpb, PDEVICE_OBJECT RealDevice)
{
    PETHREAD Thread = Irp->Tail.Overlay.Thread;
    VfRemark("hard error: a request failed with status 0x%08x, and nobody is there to be asked", Irp->IoStatus.Status);
    if (!Thread || Thread->HardErrorsDisabled || PsIsSystemThread(Thread)) {
        IopReturnError(Irp);
        return;
    }
    PIOP_HARD_ERROR Error = ExpTryAllocate(sizeof(*Error), 'rEhI');
    if (!Error) {
        IopReturnError(Irp);
        return;
    }
    Error->Irp = Irp;
    KeInitializeApc(&Error->Apc, &Thread->Tcb, Irp->ApcEnvironment, IopHardErrorKernel, IopHardErrorRundown,
                    IopHardErrorNormal, KernelMode, Error);
    if (!KeInsertQueueApc(&Error->Apc, NULL, NULL, 0))
        IopHardErrorRundown(&Error->Apc);
}

/* docs: IoRaiseInformationalHardError: FALSE if the thread has them disabled. A notification of a service goes by another way. */
BOOLEAN NTAPI IoRaiseInformationalHardError(NTSTATUS ErrorStatus, PUNICODE_STRING String, PKTHREAD Thread)
{
    CHAR Text[192] = "";
    PETHREAD Whose = (PETHREAD)(Thread ? Thread : KeGetCurrentThread());
    if (Whose->HardErrorsDisabled || ErrorStatus == STATUS_SERVICE_NOTIFICATION)
        return FALSE;
    if (String && String->Buffer)
        RtlpToUtf8(Text, sizeof(Text), String->Buffer, String->Length / sizeof(WCHAR));
    VfRemark("hard error 0x%08x%s%s", ErrorStatus, *Text ? ": " : "", Text);
    return TRUE;
}

static VOID IopStopByHardError(NTSTATUS Error, PULONG_PTR Parameters)
{
    if (ExGetPreviousMode() == KernelMode) { /* else a program's question */
        VfFinding("driver.bugcheck", 0x4C, (ULONG)Error, (UINT64)Parameters, 0, 0);
        VfSubject("ExRaiseHardError");
        VfText("the driver raises hard error 0x%08x, which is to shut the system down", Error);
        VfNoteCaller(NULL);
        VfCommit();
    }
    KiBugCheck(0x4C /* FATAL_UNHANDLED_HARD_ERROR */, (ULONG)Error, (UINT64)Parameters, 0, 0);
}

/* Undocumented; what NtRaiseHardError comes down to. Parameters whose bit is set in the mask are pointers to strings; one that is
 * none raises before anything is answered, whether or not somebody would have been asked. */
NTSTATUS NTAPI ExRaiseHardError(NTSTATUS ErrorStatus, ULONG NumberOfParameters, ULONG UnicodeStringParameterMask,
                                PULONG_PTR Parameters, ULONG ValidResponseOptions, PULONG Response)
{
    NTSTATUS Error = ErrorStatus & ~IOP_HARD_ERROR_OVERRIDE;
    CHAR Text[192] = "";

    if (NumberOfParameters > IOP_HARD_ERROR_PARAMETERS)
        return STATUS_INVALID_PARAMETER_2;
    if (NumberOfParameters && !Parameters)
        return STATUS_INVALID_PARAMETER_4;
    for (ULONG i = 0; i < NumberOfParameters; i++) {
        PCUNICODE_STRING String = (PCUNICODE_STRING)Parameters[i];
        if (!(UnicodeStringParameterMask & 1ul << i))
            continue;
        UNICODE_STRING Copy = *String;
        if (!*Text)
            RtlpToUtf8(Text, sizeof(Text), Copy.Buffer, Copy.Length / sizeof(WCHAR));
    }
    *Response = EX_RESPONSE_RETURN_TO_CALLER;
    if (ValidResponseOptions == EX_OPTION_SHUTDOWN_SYSTEM) {
        LUID Shutdown = {SE_SHUTDOWN_PRIVILEGE, 0};
        if (!SeSinglePrivilegeCheck(Shutdown, ExGetPreviousMode()))
            return STATUS_PRIVILEGE_NOT_HELD;
        if (!NT_SUCCESS(Error))
            IopStopByHardError(Error, Parameters);
    }
    if (!PsGetCurrentThread()->HardErrorsDisabled || Error != ErrorStatus)
        VfRemark("hard error 0x%08x%s%s", Error, *Text ? ": " : "", Text);
    return STATUS_SUCCESS;
}
