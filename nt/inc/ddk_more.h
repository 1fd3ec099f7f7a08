/*
 * Exported routines that have no documentation page and that other parts of the kernel call. What is documented and missing
 * in Debian's headers is declared in include/ddk.
 */
#pragma once

NTKERNELAPI NTSTATUS NTAPI MmCopyVirtualMemory(PEPROCESS FromProcess, PVOID FromAddress, PEPROCESS ToProcess,
                                               PVOID ToAddress, SIZE_T BufferSize, KPROCESSOR_MODE PreviousMode,
                                               PSIZE_T NumberOfBytesCopied);
