/*
 * The small dump of a thread in memory: what a driver's bug check callback, or one that looks for the kernel's lists, asks for.
 * Undocumented; the layout is that of a small dump file: the header with the context, at its end a table of offsets, the
 * debugger's data, the thread's stack, the loaded modules and their names.
 *
 * DIFFERS: of the debugger's data only the kernel's base and the heads of the lists of modules and processes are filled.
 * Any level.
 */
#include "nt.h"
#include "dump.h"

#define KI_TRIAGE_BYTES 0x40000 /* what callers have room for */
#define KI_TRIAGE_STACK 0x4000
#define KI_TRIAGE_NAMES 0x8000
#define KI_TRIAGE_VALID 'DGRT'

typedef struct _KI_TRIAGE {
    ULONG ServicePackBuild, SizeOfDump, ValidOffset, ContextOffset, ExceptionOffset, MmOffset, UnloadedDriversOffset,
        PrcbOffset, ProcessOffset, ThreadOffset, CallStackOffset, SizeOfCallStack, DriverListOffset, DriverCount,
        StringPoolOffset, StringPoolSize, BrokenDriverOffset, TriageOptions;
    UINT64 TopOfStack, Backing[2], DataPageAddress;
    ULONG DataPageOffset, DataPageSize, DebuggerDataOffset, DebuggerDataSize, DataBlocksOffset, DataBlocksCount;
} KI_TRIAGE, *PKI_TRIAGE;
C_ASSERT(FIELD_OFFSET(KI_TRIAGE, TopOfStack) == 0x48 && sizeof(KI_TRIAGE) == 0x80);

typedef struct _KI_DEBUGGER_DATA {
    LIST_ENTRY List;
    ULONG OwnerTag, Size;
    UINT64 KernBase, BreakpointWithStatus, SavedContext, Callback, CallUserMode, UserCallbackDispatcher,
        PsLoadedModuleList, PsActiveProcessHead;
    UCHAR Rest[0x380 - 0x58];
} KI_DEBUGGER_DATA, *PKI_DEBUGGER_DATA;
C_ASSERT(FIELD_OFFSET(KI_DEBUGGER_DATA, PsActiveProcessHead) == 0x50 && sizeof(KI_DEBUGGER_DATA) == 0x380);

typedef struct _KI_TRIAGE_DRIVER {
    ULONG NameOffset, Spare;
    UCHAR Entry[PSP_MODULE_KNOWN];
} KI_TRIAGE_DRIVER, *PKI_TRIAGE_DRIVER;

/* As much of the stack as the thread uses. Returns its size. */
static ULONG KiCopyStack(PUCHAR To, PKTHREAD Thread, UINT64 Rsp)
{
    UINT64 End = (UINT64)Thread->StackBase, Bytes;

    if (Rsp < (UINT64)Thread->StackLimit || Rsp >= End)
        return 0;
    Bytes = End - Rsp < KI_TRIAGE_STACK ? End - Rsp : KI_TRIAGE_STACK;
    RtlCopyMemory(To, (PVOID)Rsp, Bytes);
    return (ULONG)Bytes;
}

static VOID KiListDrivers(PUCHAR Dump, PKI_TRIAGE Triage, ULONG At)
{
    PKI_TRIAGE_DRIVER Driver = (PKI_TRIAGE_DRIVER)(Dump + At);
    ULONG Most = (KI_TRIAGE_BYTES - KI_TRIAGE_NAMES - At) / sizeof(*Driver), Names = KI_TRIAGE_BYTES - KI_TRIAGE_NAMES;

    Triage->DriverListOffset = At;
    Triage->StringPoolOffset = Names;
    for (PLIST_ENTRY Link = PsLoadedModuleList.Flink; Link != &PsLoadedModuleList && Triage->DriverCount < Most;
         Link = Link->Flink) {
        PCUNICODE_STRING Name = PspModuleName(Link);
        ULONG Room = (sizeof(ULONG) + Name->Length + sizeof(WCHAR) + 7) & ~7u;
        if (Names + Room > KI_TRIAGE_BYTES - sizeof(ULONG))
            break;
        Driver->NameOffset = Names;
        Driver->Spare = 0;
        RtlCopyMemory(Driver->Entry, Link, sizeof(Driver->Entry));
        RtlZeroMemory(Dump + Names, Room);
        *(PULONG)(Dump + Names) = Name->Length / sizeof(WCHAR);
        RtlCopyMemory(Dump + Names + sizeof(ULONG), Name->Buffer, Name->Length);
        Names += Room;
        Driver++;
        Triage->DriverCount++;
    }
    Triage->StringPoolSize = Names - Triage->StringPoolOffset;
}

static VOID KiFillDebuggerData(PKI_DEBUGGER_DATA Data)
{
    RtlZeroMemory(Data, sizeof(*Data));
    Data->OwnerTag = 'GBDK';
    Data->Size = sizeof(*Data);
    Data->KernBase = MmImageOf((UINT64)(ULONG_PTR)KeCapturePersistentThreadState)->Base;
    Data->PsLoadedModuleList = (UINT64)&PsLoadedModuleList;
    Data->PsActiveProcessHead = (UINT64)&PspProcesses;
}

/* Returns the size of the dump in Buffer, which has room for 256 KiB. */
ULONG KeCapturePersistentThreadState(PCONTEXT Context, PKTHREAD Thread, ULONG Code, ULONG_PTR P1, ULONG_PTR P2,
                                     ULONG_PTR P3, ULONG_PTR P4, PVOID Buffer)
{
    PUCHAR Dump = Buffer;
    PKI_DUMP_HEADER Header = Buffer;
    PKI_TRIAGE Triage = (PKI_TRIAGE)(Dump + KI_DUMP_BYTES);
    ULONG At = KI_DUMP_BYTES + sizeof(*Triage);

    if (!Thread)
        Thread = KeGetCurrentThread();
    KeInitializeCrashDumpHeader(KI_DUMP_FULL, 0, Buffer, KI_DUMP_BYTES, NULL);
    Header->DumpType = KI_DUMP_TRIAGE;
    Header->RequiredDumpSpace = KI_TRIAGE_BYTES;
    Header->BugCheckCode = Code;
    Header->BugCheckParameter[0] = P1;
    Header->BugCheckParameter[1] = P2;
    Header->BugCheckParameter[2] = P3;
    Header->BugCheckParameter[3] = P4;
    RtlZeroMemory(Dump + KI_DUMP_BYTES, KI_TRIAGE_BYTES - KI_DUMP_BYTES);
    if (Context)
        RtlCopyMemory(Dump + KI_DUMP_CONTEXT, Context, sizeof(*Context));
    else
        RtlCaptureContext((PCONTEXT)(Dump + KI_DUMP_CONTEXT));
    Triage->ContextOffset = KI_DUMP_CONTEXT;
    Triage->DebuggerDataOffset = At;
    Triage->DebuggerDataSize = sizeof(KI_DEBUGGER_DATA);
    KiFillDebuggerData((PKI_DEBUGGER_DATA)(Dump + At));
    At += sizeof(KI_DEBUGGER_DATA);
    Triage->TopOfStack = ((PCONTEXT)(Dump + KI_DUMP_CONTEXT))->Rsp;
    Triage->CallStackOffset = At;
    Triage->SizeOfCallStack = KiCopyStack(Dump + At, Thread, Triage->TopOfStack);
    At += KI_TRIAGE_STACK;
    KiListDrivers(Dump, Triage, At);
    Triage->SizeOfDump = KI_TRIAGE_BYTES;
    Triage->ValidOffset = KI_TRIAGE_BYTES - sizeof(ULONG);
    *(PULONG)(Dump + Triage->ValidOffset) = KI_TRIAGE_VALID;
    return KI_TRIAGE_BYTES;
}
