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

/* Random ids (version 4), the same in every run of the same seed. */
NTSTATUS NTAPI ExUuidCreate(UUID *Uuid)
{
    static UINT64 Count;
    UINT64 Words[2];
    PUCHAR Bytes = (PUCHAR)Words;

    for (ULONG i = 0; i < 2; i++) {
        UINT64 x = KiDoor->seed + ++Count * 0x9E3779B97F4A7C15ull; /* splitmix64 */
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
        Words[i] = x ^ (x >> 31);
    }
    Bytes[7] = (UCHAR)((Bytes[7] & 0x0f) | 0x40);
    Bytes[8] = (UCHAR)((Bytes[8] & 0x3f) | 0x80);
    *Uuid = *(UUID *)Words;
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
