/*
 * The header of a dump file, as far as it is filled here (docs: KeInitializeCrashDumpHeader).
 */
#pragma once

#define KI_DUMP_FULL 1
#define KI_DUMP_TRIAGE 4
#define KI_DUMP_BYTES 0x2000
#define KI_DUMP_CONTEXT 0x348 /* where the header has the processor's context */

typedef struct _KI_DUMP_HEADER {
    ULONG Signature, ValidDump;
    ULONG MajorVersion, MinorVersion;
    UINT64 DirectoryTableBase, PfnDataBase;
    UINT64 PsLoadedModuleList, PsActiveProcessHead;
    ULONG MachineImageType, NumberProcessors;
    ULONG BugCheckCode, Fill0;
    UINT64 BugCheckParameter[4];
    CHAR VersionUser[32];
    UINT64 KdDebuggerDataBlock;
    struct {
        ULONG NumberOfRuns, Fill;
        UINT64 NumberOfPages;
        struct {
            UINT64 BasePage, PageCount;
        } Run[1];
    } PhysicalMemory;
    UCHAR Fill1[0xf98 - 0xa8];
    ULONG DumpType, Fill2;
    UINT64 RequiredDumpSpace, SystemTime;
    CHAR Comment[128];
    UINT64 SystemUpTime;
    ULONG MiniDumpFields, SecondaryDataState, ProductType, SuiteMask;
    UCHAR Fill3[KI_DUMP_BYTES - 0x1048];
} KI_DUMP_HEADER, *PKI_DUMP_HEADER;

C_ASSERT(FIELD_OFFSET(KI_DUMP_HEADER, PhysicalMemory) == 0x88);
C_ASSERT(FIELD_OFFSET(KI_DUMP_HEADER, SystemUpTime) == 0x1030);
C_ASSERT(sizeof(KI_DUMP_HEADER) == KI_DUMP_BYTES);
