/*
 * Handles that a driver leaves open. A kernel handle remembers where it was made; at unload those whose innermost driver is
 * the one that goes are a finding, one for each place. Handles of user processes go with their process.
 */
#include "nt.h"

static ULONG ObpTakeSame(POBP_TABLE Table, ULONG First, ULONG Stack)
{
    ULONG Count = 0;

    for (ULONG i = First; i < Table->Chunks * OBP_TABLE_CHUNK; i++) {
        POBP_ENTRY Entry = ObpTableEntry(Table, i);
        if (!Entry || Entry->Stack != Stack)
            continue;
        Entry->Stack = 0; /* has been told */
        Count++;
    }
    return Count;
}

static VOID ObpReportHandle(PCSTR Driver, PVOID Body, ULONG Stack, ULONG Count)
{
    CHAR Name[96], Type[32];
    ULONG Length = ObpNameOf(Body, Name, sizeof(Name));

    RtlpToUtf8(Type, sizeof(Type), ObpTypeOf(Body)->Name.Buffer, ObpTypeOf(Body)->Name.Length / sizeof(WCHAR));
    VfFinding("unload.handle", 0xCE, (UINT64)Body, Count, 0, 0);
    VfSubject("handle");
    if (Count == 1)
        VfText("%s is unloaded and leaves a handle open: %s%s%s", Driver, Type, Length ? " " : "", Name);
    else
        VfText("%s is unloaded and leaves %u handles open, the first: %s%s%s", Driver, Count, Type, Length ? " " : "",
               Name);
    VfNote(DOOR_NOTE_OBJECT, Stack, Body, NULL, Count == 1 ? "The handle was made at:" : "The handles were made at:");
    VfCommit();
}

VOID ObpReportHandles(UINT64 Base, PCSTR Driver)
{
    POBP_TABLE Table = ObpTableOf(PsInitialSystemProcess);

    for (ULONG i = 1; i < Table->Chunks * OBP_TABLE_CHUNK; i++) {
        POBP_ENTRY Entry = ObpTableEntry(Table, i);
        ULONG Stack = Entry ? Entry->Stack : 0;
        if (Stack && VfStackIsOf(Stack, Base))
            ObpReportHandle(Driver, Entry->Object, Stack, ObpTakeSame(Table, i, Stack));
    }
}
