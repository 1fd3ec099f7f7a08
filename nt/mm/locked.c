/*
 * Pages of a process that are still locked when it has ended (bug check 0x76, PROCESS_HAS_LOCKED_PAGES). A process counts them;
 * which MDL it is, and who made it, is looked for among the pool's blocks only then.
 */
#include "nt.h"
#include "ex/poolp.h"

typedef struct _MI_LOCKED {
    PEPROCESS Process;
    PEX_BLOCK Oldest;
} MI_LOCKED;

static VOID MiVisitLocked(PEX_BLOCK Block, PVOID Context)
{
    MI_LOCKED *Locked = Context;
    PMDL Mdl = (PMDL)ExpLinear(Block->Address);

    if (Block->Tag != MI_TAG_MDL || Block->Bytes < sizeof(*Mdl) || Mdl->Process != Locked->Process ||
        (Mdl->MdlFlags & (MDL_PAGES_LOCKED | MDL_PARTIAL)) != MDL_PAGES_LOCKED)
        return;
    if (!Locked->Oldest || Block->Sequence < Locked->Oldest->Sequence)
        Locked->Oldest = Block;
}

/* Its handles are closed, its requests at an end. The process stays then: who unlocks will count down in it. */
VOID MmCheckLockedPages(PEPROCESS Process)
{
    MI_LOCKED Locked = {.Process = Process};

    if (!Process->LockedPages)
        return;
    ExpSlabEnumerate(MiVisitLocked, &Locked);
    ExpSpecialEnumerate(MiVisitLocked, &Locked);
    ExpBigEnumerate(MiVisitLocked, &Locked);
    ObfReferenceObject(Process);
    VfFinding("process.locked-pages", 0x76, 0, (UINT64)Process, (UINT64)Process->LockedPages, 0);
    VfSubject("process");
    VfText("process %u (%s) has ended, and %d of its pages are still locked", (ULONG)(UINT64)Process->UniqueProcessId,
           Process->ImageFileName, Process->LockedPages);
    if (Locked.Oldest)
        VfNote(DOOR_NOTE_CALLER, Locked.Oldest->Stack, NULL, NULL, "The MDL was allocated at:");
    VfCommit();
}
