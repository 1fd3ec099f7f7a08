/*
 * Small routines that stand alone.
 */
#include "nt.h"
#include "rtl/ascii.h"

/* ---- Bytes turned round (docs: RtlUshortByteSwap, RtlUlongByteSwap, RtlUlonglongByteSwap) ---------------------------
 */

#undef RtlUshortByteSwap
#undef RtlUlongByteSwap
#undef RtlUlonglongByteSwap

USHORT FASTCALL KiUshortByteSwap(USHORT Value)
{
    return __builtin_bswap16(Value);
}

ULONG FASTCALL KiUlongByteSwap(ULONG Value)
{
    return __builtin_bswap32(Value);
}

ULONGLONG FASTCALL KiUlonglongByteSwap(ULONGLONG Value)
{
    return __builtin_bswap64(Value);
}

/* ---- Strings ----------------------------------------------------------------------------------------------------- */

/* docs: RtlInitStringEx. */
NTSTATUS NTAPI RtlInitStringEx(PSTRING String, PCSZ Text)
{
    SIZE_T Length = Text ? strlen(Text) : 0;
    RtlZeroMemory(String, sizeof(*String));
    if (!Text)
        return STATUS_SUCCESS;
    if (Length > 0xfffe)
        return STATUS_NAME_TOO_LONG;
    String->Buffer = (PCHAR)Text;
    String->Length = (USHORT)Length;
    String->MaximumLength = (USHORT)(Length + 1);
    return STATUS_SUCCESS;
}

typedef STRING UTF8_STRING, *PUTF8_STRING;

VOID NTAPI RtlInitUTF8String(PUTF8_STRING String, PCSZ Text)
{
    RtlInitAnsiString(String, Text);
}

NTSTATUS NTAPI RtlInitUTF8StringEx(PUTF8_STRING String, PCSZ Text)
{
    return RtlInitStringEx(String, Text);
}

VOID NTAPI RtlFreeUTF8String(PUTF8_STRING String)
{
    if (String->Buffer)
        ExFreePool(String->Buffer);
    RtlZeroMemory(String, sizeof(*String));
}

/* docs: RtlUTF8StringToUnicodeString, RtlUnicodeStringToUTF8String: terminated when there is room. */
NTSTATUS NTAPI RtlUTF8StringToUnicodeString(PUNICODE_STRING To, PUTF8_STRING From, BOOLEAN Allocate)
{
    ULONG Bytes;
    NTSTATUS Status = RtlUTF8ToUnicodeN(NULL, 0, &Bytes, From->Buffer, From->Length);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Bytes + sizeof(WCHAR) > 0xffff)
        return STATUS_INVALID_PARAMETER_2;
    if (Allocate) {
        To->Buffer = ExAllocatePoolWithTag(PagedPool, Bytes + sizeof(WCHAR), 'grtS');
        if (!To->Buffer)
            return STATUS_NO_MEMORY;
        To->MaximumLength = (USHORT)(Bytes + sizeof(WCHAR));
    } else if (Bytes > To->MaximumLength)
        return STATUS_BUFFER_OVERFLOW;
    Status = RtlUTF8ToUnicodeN(To->Buffer, Bytes, &Bytes, From->Buffer, From->Length);
    To->Length = (USHORT)Bytes;
    if (Bytes + sizeof(WCHAR) <= To->MaximumLength)
        To->Buffer[Bytes / sizeof(WCHAR)] = 0;
    return Status;
}

NTSTATUS NTAPI RtlUnicodeStringToUTF8String(PUTF8_STRING To, PCUNICODE_STRING From, BOOLEAN Allocate)
{
    ULONG Bytes;
    NTSTATUS Status = RtlUnicodeToUTF8N(NULL, 0, &Bytes, From->Buffer, From->Length);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Bytes + 1 > 0xffff)
        return STATUS_INVALID_PARAMETER_2;
    if (Allocate) {
        To->Buffer = ExAllocatePoolWithTag(PagedPool, Bytes + 1, 'grtS');
        if (!To->Buffer)
            return STATUS_NO_MEMORY;
        To->MaximumLength = (USHORT)(Bytes + 1);
    } else if (Bytes > To->MaximumLength)
        return STATUS_BUFFER_OVERFLOW;
    Status = RtlUnicodeToUTF8N(To->Buffer, Bytes, &Bytes, From->Buffer, From->Length);
    To->Length = (USHORT)Bytes;
    if (Bytes + 1 <= To->MaximumLength)
        To->Buffer[Bytes] = 0;
    return Status;
}

/* ---- Large resources (docs: RtlIoEncodeMemIoResource and its relatives) ------------------------------------------ */

/* Lengths above 4 GiB are told in units of 256, 64 KiB or 4 GiB, which the flags name. */
static const struct {
    ULONG64 Most;
    ULONG Shift;
    USHORT Flag;
} RtlpLarge[] = {{0xffffffff00ull, 8, CM_RESOURCE_MEMORY_LARGE_40},
                 {0xffffffff0000ull, 16, CM_RESOURCE_MEMORY_LARGE_48},
                 {0xffffffff00000000ull, 32, CM_RESOURCE_MEMORY_LARGE_64}};

/* FALSE: the length has no such form. */
static BOOLEAN RtlpShrink(ULONG64 Length, PULONG Short, PUSHORT Flag)
{
    *Flag = 0;
    *Short = (ULONG)Length;
    if (Length <= MAXULONG)
        return TRUE;
    for (ULONG i = 0; i < RTL_NUMBER_OF(RtlpLarge); i++)
        if (Length <= RtlpLarge[i].Most && !(Length & ((1ull << RtlpLarge[i].Shift) - 1))) {
            *Flag = RtlpLarge[i].Flag;
            *Short = (ULONG)(Length >> RtlpLarge[i].Shift);
            return TRUE;
        }
    return FALSE;
}

static ULONG64 RtlpGrow(ULONG Short, USHORT Flags)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(RtlpLarge); i++)
        if (Flags & RtlpLarge[i].Flag)
            return (ULONG64)Short << RtlpLarge[i].Shift;
    return Short;
}

#define RTLP_LARGE_FLAGS (CM_RESOURCE_MEMORY_LARGE_40 | CM_RESOURCE_MEMORY_LARGE_48 | CM_RESOURCE_MEMORY_LARGE_64)

/* The type a length of this kind makes of CmResourceTypeMemory; ports have no long form. */
static NTSTATUS RtlpLargeType(UCHAR Type, ULONG64 Length, USHORT Flag, PUCHAR Result)
{
    if (Type != CmResourceTypeMemory && Type != CmResourceTypeMemoryLarge && Type != CmResourceTypePort)
        return STATUS_INVALID_PARAMETER;
    if (Flag && Type == CmResourceTypePort)
        return STATUS_INVALID_PARAMETER;
    *Result = Type == CmResourceTypePort ? Type : Flag ? CmResourceTypeMemoryLarge : CmResourceTypeMemory;
    return STATUS_SUCCESS;
}

NTSTATUS NTAPI RtlCmEncodeMemIoResource(PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor, UCHAR Type, ULONGLONG Length,
                                        ULONGLONG Start)
{
    USHORT Flag;
    ULONG Short;
    if (!RtlpShrink(Length, &Short, &Flag))
        return STATUS_UNSUCCESSFUL;
    NTSTATUS Status = RtlpLargeType(Type, Length, Flag, &Descriptor->Type);
    if (!NT_SUCCESS(Status))
        return Status;
    if (Type != CmResourceTypePort)
        Descriptor->Flags = (Descriptor->Flags & ~RTLP_LARGE_FLAGS) | Flag;
    Descriptor->u.Memory.Start.QuadPart = (LONGLONG)Start;
    Descriptor->u.Memory.Length = Short;
    return STATUS_SUCCESS;
}

ULONGLONG NTAPI RtlCmDecodeMemIoResource(PCM_PARTIAL_RESOURCE_DESCRIPTOR Descriptor, PULONGLONG Start)
{
    if (Start)
        *Start = (ULONGLONG)Descriptor->u.Memory.Start.QuadPart;
    return RtlpGrow(Descriptor->u.Memory.Length, Descriptor->Type == CmResourceTypeMemoryLarge ? Descriptor->Flags : 0);
}

NTSTATUS NTAPI RtlIoEncodeMemIoResource(PIO_RESOURCE_DESCRIPTOR Descriptor, UCHAR Type, ULONGLONG Length,
                                        ULONGLONG Alignment, ULONGLONG Minimum, ULONGLONG Maximum)
{
    USHORT Flag, AlignmentFlag;
    ULONG Short, ShortAlignment;
    if (!RtlpShrink(Length, &Short, &Flag))
        return STATUS_UNSUCCESSFUL;
    NTSTATUS Status = RtlpLargeType(Type, Length, Flag, &Descriptor->Type);
    if (!NT_SUCCESS(Status))
        return Status;
    ULONG Shift = Flag == CM_RESOURCE_MEMORY_LARGE_40   ? 8
                  : Flag == CM_RESOURCE_MEMORY_LARGE_48 ? 16
                  : Flag == CM_RESOURCE_MEMORY_LARGE_64 ? 32
                                                        : 0;
    if (Shift) /* the alignment has the length's unit, at least one */
        ShortAlignment = (ULONG)max(1, Alignment >> Shift);
    else if (!RtlpShrink(Alignment, &ShortAlignment, &AlignmentFlag) || AlignmentFlag)
        return STATUS_UNSUCCESSFUL;
    if (Type != CmResourceTypePort)
        Descriptor->Flags = (Descriptor->Flags & ~RTLP_LARGE_FLAGS) | Flag;
    Descriptor->u.Memory.Length = Short;
    Descriptor->u.Memory.Alignment = ShortAlignment;
    Descriptor->u.Memory.MinimumAddress.QuadPart = (LONGLONG)Minimum;
    Descriptor->u.Memory.MaximumAddress.QuadPart = (LONGLONG)Maximum;
    return STATUS_SUCCESS;
}

ULONGLONG NTAPI RtlIoDecodeMemIoResource(PIO_RESOURCE_DESCRIPTOR Descriptor, PULONGLONG Alignment, PULONGLONG Minimum,
                                         PULONGLONG Maximum)
{
    USHORT Flags = Descriptor->Type == CmResourceTypeMemoryLarge ? Descriptor->Flags : 0;
    if (Alignment)
        *Alignment = RtlpGrow(Descriptor->u.Memory.Alignment, Flags);
    if (Minimum)
        *Minimum = (ULONGLONG)Descriptor->u.Memory.MinimumAddress.QuadPart;
    if (Maximum)
        *Maximum = (ULONGLONG)Descriptor->u.Memory.MaximumAddress.QuadPart;
    return RtlpGrow(Descriptor->u.Memory.Length, Flags);
}

/* ---- Facts ------------------------------------------------------------------------------------------------------- */

/* docs: RtlIsStateSeparationEnabled: the machine's operating system has one state. */
BOOLEAN NTAPI RtlIsStateSeparationEnabled(VOID)
{
    return FALSE;
}

/* docs: RtlGetPersistedStateLocation: without state separation the map of places is empty, and the caller's own path holds. */
NTSTATUS NTAPI RtlGetPersistedStateLocation(PCWSTR SourceID, PCWSTR CustomValue, PCWSTR DefaultPath,
                                            STATE_LOCATION_TYPE StateLocationType, PWCHAR TargetPath,
                                            ULONG BufferLengthIn, PULONG BufferLengthOut)
{
    ULONG Bytes;

    if (!SourceID || (ULONG)StateLocationType >= LocationTypeMaximum || (BufferLengthIn && !TargetPath))
        return STATUS_INVALID_PARAMETER;
    if (!DefaultPath)
        return STATUS_OBJECT_NAME_NOT_FOUND;
    Bytes = (ULONG)(wcslen(DefaultPath) + 1) * sizeof(WCHAR);
    if (BufferLengthOut)
        *BufferLengthOut = Bytes;
    if (BufferLengthIn < Bytes)
        return STATUS_BUFFER_OVERFLOW;
    RtlCopyMemory(TargetPath, DefaultPath, Bytes);
    return STATUS_SUCCESS;
}

/* docs: RtlRaiseCustomSystemEventTrigger: no broker runs background tasks here, so nobody has subscribed. */
NTSTATUS NTAPI RtlRaiseCustomSystemEventTrigger(PCUSTOM_SYSTEM_EVENT_TRIGGER_CONFIG TriggerConfig)
{
    if (!TriggerConfig || TriggerConfig->Size != sizeof(*TriggerConfig) || !TriggerConfig->TriggerId)
        return STATUS_INVALID_PARAMETER;
    return STATUS_INSTANCE_NOT_AVAILABLE;
}

/* docs: RtlQueryProcessPlaceholderCompatibilityMode: nobody sets it; a process without user mode has nowhere to. */
CHAR NTAPI RtlQueryProcessPlaceholderCompatibilityMode(VOID)
{
    return PspCurrentProcess()->Peb ? PHCM_APPLICATION_DEFAULT : PHCM_ERROR_NO_PEB;
}

/* docs: RtlGetEnabledExtendedFeatures: of those asked for. */
ULONG64 NTAPI RtlGetEnabledExtendedFeatures(ULONG64 Mask)
{
    return KiDoor->xstate_mask & Mask;
}

/* docs: RtlEqualLuid. */
BOOLEAN NTAPI KiEqualLuid(PLUID One, PLUID Other)
{
    return One->LowPart == Other->LowPart && One->HighPart == Other->HighPart;
}

/* docs: RtlGetCallersAddress: who called the routine that calls this, and who called that one. */
#undef RtlGetCallersAddress /* inline in the headers */
VOID NTAPI RtlGetCallersAddress(PVOID *Caller, PVOID *CallersCaller)
{
    PVOID Frames[4] = {0};
    ULONG Count = RtlWalkFrameChain(Frames, RTL_NUMBER_OF(Frames), 0);
    *Caller = Count > 2 ? Frames[2] : NULL;
    *CallersCaller = Count > 3 ? Frames[3] : NULL;
}
