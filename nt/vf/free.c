/*
 * --build=free: which findings a free build of Windows has no eye for.
 *
 * Drivers that misuse the kernel on purpose, as conformance suites do, run on a free build because most of what this verifier
 * (and Windows' Driver Verifier, or a checked build) looks at is simply done there: the level is set to what was asked for, a
 * count goes beyond zero, a lock nobody holds is released. In this build such a finding is a remark, once for each place, and
 * the routine carries on. What a free build itself stops for stays a bug check.
 * (docs: "Checked and free build differences", KeRaiseIrql, KeLowerIrql)
 */
#include "nt.h"

/* A name that ends in a dot stands for all rules that begin so. */
static const PCSTR VfFreeIgnores[] = {
    "apc.",
    "device.",
    "dma.adapter-in-use",
    "irp.bad-free",
    "irp.completed-as-pending",
    "irp.completed-cancelable",
    "irp.completed-unowned",
    "irp.lost",
    "irp.marked-not-pending",
    "irp.pending-not-marked",
    "irql.bad-level",
    "irql.call-too-high",
    "irql.call-too-low",
    "irql.lower-up",
    "irql.raise-down",
    "lock.held-on-return",
    "lock.not-held",
    "lock.wrong-order",
    "lookaside.small-block",
    "mdl.",
    "memory.paged-at-dispatch",
    "mutex.apcs-enabled",
    "mutex.not-owned",
    "object.freed-in-use",
    "object.invalid-handle",
    "object.not-initialized",
    "object.reinitialized-in-use",
    "pool.leak",
    "pool.reserved-tag",
    "pool.unreadable-tag",
    "pool.zero-bytes",
    "pool.zero-tag",
    "pushlock.",
    "resource.apcs-enabled",
    "resource.deleted-owned",
    "resource.misaligned",
    "resource.shared-to-exclusive",
    "unload.",
};

BOOLEAN VfIsIgnored(PCSTR Rule)
{
    if (!KiDoor->free_build)
        return FALSE;
    for (ULONG i = 0; i < RTL_NUMBER_OF(VfFreeIgnores); i++) {
        SIZE_T Length = strlen(VfFreeIgnores[i]);
        if (!strncmp(Rule, VfFreeIgnores[i], Length) && (VfFreeIgnores[i][Length - 1] == '.' || !Rule[Length]))
            return TRUE;
    }
    return FALSE;
}

/* A suite misuses a routine thousands of times from the same place: one remark is enough. */
BOOLEAN VfIsIgnoredBefore(UINT64 Key)
{
    static UINT64 Seen[1024];
    UINT64 *Entry = &Seen[Key * 0x9e3779b97f4a7c15ull >> 54];

    if (*Entry == Key)
        return TRUE;
    *Entry = Key;
    return FALSE;
}
