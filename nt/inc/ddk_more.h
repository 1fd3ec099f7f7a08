/*
 * Exported routines that have no documentation page and that other parts of the kernel call. What is documented and missing
 * in Debian's headers is declared in include/ddk.
 */
#pragma once

NTKERNELAPI NTSTATUS NTAPI MmCopyVirtualMemory(PEPROCESS FromProcess, PVOID FromAddress, PEPROCESS ToProcess,
                                               PVOID ToAddress, SIZE_T BufferSize, KPROCESSOR_MODE PreviousMode,
                                               PSIZE_T NumberOfBytesCopied);

NTKERNELAPI ULONG NTAPI KeCapturePersistentThreadState(PCONTEXT Context, PKTHREAD Thread, ULONG BugCheckCode,
                                                       ULONG_PTR BugCheckParameter1, ULONG_PTR BugCheckParameter2,
                                                       ULONG_PTR BugCheckParameter3, ULONG_PTR BugCheckParameter4,
                                                       PVOID VirtualAddress);

/* What ZwRaiseHardError's callers pass as ValidResponseOptions and get as Response. */
#define EX_OPTION_SHUTDOWN_SYSTEM 6
#define EX_RESPONSE_RETURN_TO_CALLER 0
NTKERNELAPI NTSTATUS NTAPI ExRaiseHardError(NTSTATUS ErrorStatus, ULONG NumberOfParameters,
                                            ULONG UnicodeStringParameterMask, PULONG_PTR Parameters,
                                            ULONG ValidResponseOptions, PULONG Response);
