/*
 * The kernel debugger, as seen by drivers on a machine that has none: it can't be asked, configured or controlled, and it
 * occupies no serial port. (docs: KdChangeOption, DbgPrompt)
 */
#include "nt.h"

PUCHAR KdComPortInUse = NULL;

NTSTATUS NTAPI KdChangeOption(KD_OPTION Option, ULONG InBufferBytes, PVOID InBuffer, ULONG OutBufferBytes,
                              PVOID OutBuffer, PULONG OutBufferNeeded)
{
    return STATUS_DEBUGGER_INACTIVE;
}

NTSTATUS NTAPI KdSystemDebugControl(ULONG Command, PVOID InputBuffer, ULONG InputBufferLength, PVOID OutputBuffer,
                                    ULONG OutputBufferLength, PULONG ReturnLength, KPROCESSOR_MODE PreviousMode)
{
    return STATUS_DEBUGGER_INACTIVE;
}

/* Nobody answers: no characters. */
ULONG NTAPI DbgPrompt(PCCH Prompt, PCH Response, ULONG MaximumResponseLength)
{
    DbgPrint("%s", Prompt);
    if (MaximumResponseLength)
        Response[0] = 0;
    return 0;
}
