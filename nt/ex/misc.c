/*
 * Small services of the executive: probing of user addresses, times, unique ids, what the processor can do.
 */
#include "nt.h"

/* docs: ProbeForRead: only looks at the addresses; the caller's later touches may still fault. */
VOID NTAPI ProbeForRead(CONST VOID *Address, SIZE_T Length, ULONG Alignment)
{
    UINT64 Start = (UINT64)Address;

    if (!Length)
        return;
    if (Start & (Alignment - 1))
        ExRaiseDatatypeMisalignment();
    if (Start + Length < Start || Start + Length > MmUserProbeAddress)
        ExRaiseAccessViolation();
}

/* docs: ProbeForWrite: touches each page for writing. */
VOID NTAPI ProbeForWrite(PVOID Address, SIZE_T Length, ULONG Alignment)
{
    UINT64 Start = (UINT64)Address, End = Start + Length;

    ProbeForRead(Address, Length, Alignment);
    for (UINT64 At = Start; Length && At < End; At = (At | (PAGE_SIZE - 1)) + 1)
        *(volatile UCHAR *)At = *(volatile UCHAR *)At;
}

KPROCESSOR_MODE NTAPI ExGetPreviousMode(VOID)
{
    return KeGetCurrentThread()->PreviousMode;
}

/* The machine's time zone is UTC. */
VOID NTAPI ExSystemTimeToLocalTime(PLARGE_INTEGER SystemTime, PLARGE_INTEGER LocalTime)
{
    *LocalTime = *SystemTime;
}

VOID NTAPI ExLocalTimeToSystemTime(PLARGE_INTEGER LocalTime, PLARGE_INTEGER SystemTime)
{
    *SystemTime = *LocalTime;
}

#define EX_1582 5748192000000000ull /* from the beginning of UUIDs' time, 15 October 1582, to that of the system's */

/* Ids of version 1, as Windows': the time, and a node and a clock sequence that are the seed's (RFC 4122, 4.1.6: such a
 * node has the multicast bit). Later ids of the same moment take the next ones. */
NTSTATUS NTAPI ExUuidCreate(UUID *Uuid)
{
    static UINT64 Last;
    UINT64 Time = KiSystemTime() + EX_1582, Node = KiDoor->seed * 0x9E3779B97F4A7C15ull + 0xBF58476D1CE4E5B9ull;

    Last = Time > Last ? Time : Last + 1;
    Node ^= Node >> 31;
    Uuid->Data1 = (ULONG)Last;
    Uuid->Data2 = (USHORT)(Last >> 32);
    Uuid->Data3 = (USHORT)((Last >> 48 & 0x0fff) | 0x1000);
    RtlCopyMemory(Uuid->Data4, &Node, sizeof(Uuid->Data4));
    Uuid->Data4[0] = (UCHAR)((Uuid->Data4[0] & 0x3f) | 0x80);
    Uuid->Data4[2] |= 1;
    return STATUS_SUCCESS;
}

#undef ExIsProcessorFeaturePresent
/* docs: ExIsProcessorFeaturePresent. What every x64 processor of Windows 10 has; nothing here depends on the host's. */
BOOLEAN NTAPI ExIsProcessorFeaturePresent(ULONG ProcessorFeature)
{
    const UINT64 Present = 1ull << PF_COMPARE_EXCHANGE_DOUBLE | 1ull << PF_MMX_INSTRUCTIONS_AVAILABLE |
                           1ull << PF_XMMI_INSTRUCTIONS_AVAILABLE | 1ull << PF_RDTSC_INSTRUCTION_AVAILABLE |
                           1ull << PF_PAE_ENABLED | 1ull << PF_XMMI64_INSTRUCTIONS_AVAILABLE | 1ull << 12 /* NX */ |
                           1ull << 13 /* SSE3 */ | 1ull << 14 /* CMPXCHG16B */ | 1ull << 17 /* XSAVE */ |
                           1ull << 23 /* fast fail */;

    return ProcessorFeature < 64 && (Present >> ProcessorFeature & 1);
}

#undef ExVerifySuite
/* A workstation of one user: the terminal suite for one session only. */
BOOLEAN NTAPI ExVerifySuite(SUITE_TYPE SuiteType)
{
    return SuiteType == TerminalServer || SuiteType == SingleUserTS;
}
