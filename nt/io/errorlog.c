/*
 * Error log entries: a driver's words to the system log become remarks in the report (docs: IoAllocateErrorLogEntry).
 */
#include "nt.h"

typedef struct _IOP_LOG_ENTRY {
    PVOID IoObject;
    ULONG Bytes, Spare;
} IOP_LOG_ENTRY, *PIOP_LOG_ENTRY;

PVOID NTAPI IoAllocateErrorLogEntry(PVOID IoObject, UCHAR Bytes)
{
    if (!IoObject || Bytes < sizeof(IO_ERROR_LOG_PACKET) || Bytes > ERROR_LOG_MAXIMUM_SIZE)
        return NULL;
    PIOP_LOG_ENTRY Entry = ExpAllocate(sizeof(*Entry) + Bytes, 'rEoI');
    RtlZeroMemory(Entry, sizeof(*Entry) + Bytes);
    Entry->IoObject = IoObject;
    Entry->Bytes = Bytes;
    ObfReferenceObject(IoObject);
    return Entry + 1;
}

VOID NTAPI IoFreeErrorLogEntry(PVOID Packet)
{
    PIOP_LOG_ENTRY Entry = (PIOP_LOG_ENTRY)Packet - 1;
    ObfDereferenceObject(Entry->IoObject);
    ExpFree(Entry);
}

/* The strings are the insertions of a message whose text lies in the driver's resources. */
VOID NTAPI IoWriteErrorLogEntry(PVOID Packet)
{
    PIOP_LOG_ENTRY Entry = (PIOP_LOG_ENTRY)Packet - 1;
    PIO_ERROR_LOG_PACKET Log = Packet;
    CHAR Name[96], Text[128];
    ULONG Used = 0, At = Log->StringOffset;
    Text[0] = 0;
    for (ULONG i = 0; i < Log->NumberOfStrings && At + sizeof(WCHAR) <= Entry->Bytes && Used + 4 < sizeof(Text); i++) {
        PCWSTR String = (PCWSTR)((PUCHAR)Log + At);
        ULONG n = 0, Most = (Entry->Bytes - At) / sizeof(WCHAR);
        while (n < Most && String[n])
            n++;
        Used += RtlpFormat(Text + Used, sizeof(Text) - Used, "%s", Used ? ", " : ": ");
        Used += RtlpToUtf8(Text + Used, sizeof(Text) - Used, String, n);
        At += (n + 1) * sizeof(WCHAR);
    }
    ObpNameOf(Entry->IoObject, Name, sizeof(Name));
    VfRemark("error log: %s, code 0x%08x, status 0x%08x%s", *Name ? Name : "unnamed device", Log->ErrorCode,
             Log->FinalStatus, Text);
    IoFreeErrorLogEntry(Packet);
}
