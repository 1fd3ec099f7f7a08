/*
 * When the machine stops, registered routines are called at HIGH_LEVEL, the last registered first, each with what its
 * reason says. (docs: KeRegisterBugCheckCallback, KeRegisterBugCheckReasonCallback)
 * STATUS: 1
 * EXPECT: Irqlab names 2 ranges of pages
 * EXPECT: Irqlab adds 15 bytes to the dump
 * EXPECT: 0x000000E2
 */
#include <ntddk.h>

typedef struct _TRIAGE_DATA {
    PVOID DataArray;
    ULONG Flags, MaxVirtMemSize, BugCheckCode;
    ULONG_PTR BugCheckParameter1;
} TRIAGE_DATA;

static KBUGCHECK_CALLBACK_RECORD Plain;
static KBUGCHECK_REASON_CALLBACK_RECORD Secondary, Pages, Triage;
static UCHAR Buffer[16];

/* Nothing may be printed at that level: what was right is counted, and told as the length of the secondary data. */
static ULONG Right;

static VOID NTAPI OnBugCheck(PVOID Data, ULONG Length)
{
    if (KeGetCurrentIrql() == HIGH_LEVEL && Data == Buffer && Length == sizeof(Buffer) && !Right)
        Right |= 1;
}

static VOID NTAPI OnTriage(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data,
                           ULONG Length)
{
    TRIAGE_DATA *Dump = Data;
    if (Reason == KbCallbackTriageDumpData && Dump->BugCheckCode == 0xE2 && Dump->BugCheckParameter1 == 7 && Right == 1)
        Right |= 2;
}

static VOID NTAPI OnPages(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data,
                          ULONG Length)
{
    PKBUGCHECK_ADD_PAGES Add = Data;
    if (Add->BugCheckCode == 0xE2 && Right == (Add->Context ? 7 : 3))
        Right |= Add->Context ? 8 : 4;
    Add->Address = (ULONG_PTR)Buffer;
    Add->Count = 1;
    Add->Flags = KB_ADD_PAGES_FLAG_VIRTUAL_ADDRESS | (Add->Context ? 0 : KB_ADD_PAGES_FLAG_ADDITIONAL_RANGES_EXIST);
    Add->Context = Buffer;
}

static VOID NTAPI OnSecondary(KBUGCHECK_CALLBACK_REASON Reason, PKBUGCHECK_REASON_CALLBACK_RECORD Record, PVOID Data,
                              ULONG Length)
{
    PKBUGCHECK_SECONDARY_DUMP_DATA Dump = Data;
    *(PULONG)Dump->InBuffer = 1;
    Dump->OutBuffer = Dump->InBuffer;
    Dump->OutBufferLength = Dump->MaximumAllowed >= 16 ? Right : 0;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    Plain.State = Secondary.State = Pages.State = Triage.State = BufferEmpty; /* KeInitializeCallbackRecord */
    KeRegisterBugCheckCallback(&Plain, OnBugCheck, Buffer, sizeof(Buffer), (PUCHAR) "Irqlab");
    KeRegisterBugCheckReasonCallback(&Secondary, OnSecondary, KbCallbackSecondaryDumpData, (PUCHAR) "Irqlab");
    KeRegisterBugCheckReasonCallback(&Pages, OnPages, KbCallbackAddPages, (PUCHAR) "Irqlab");
    KeRegisterBugCheckReasonCallback(&Triage, OnTriage, KbCallbackTriageDumpData, (PUCHAR) "Irqlab");
    KeBugCheckEx(0xE2, 7, 0, 0, 0);
}
