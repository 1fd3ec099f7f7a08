/*
 * Patched code. The loader moves hot instructions of a driver out of the image into stubs behind it and leaves a table
 * of what stands for what (struct door_stubs). Whoever looks at an instruction pointer of a driver asks here for the
 * original first.
 */
#include "nt.h"

/* If *Rip lies in a stub: make *Rip the original instruction and *Rsp what it would have been there. */
BOOLEAN MmUnpatch(UINT64 *Rip, UINT64 *Rsp)
{
    PMI_IMAGE Image = MmImageOf(*Rip);
    const struct door_stubs *Stubs;
    const struct door_stub *Entries;
    ULONG Rva, Low = 0, High;

    if (!Image || !Image->Info.extra_bytes || *Rip - Image->Base < Image->Bytes)
        return FALSE;
    Stubs = (const struct door_stubs *)(Image->Base + Image->Bytes);
    Entries = (const struct door_stub *)(Image->Base + Stubs->first);
    Rva = (ULONG)(*Rip - Image->Base);
    for (High = Stubs->count; Low < High;) { /* the last entry that is not above Rva */
        ULONG Middle = (Low + High) / 2;
        if (Entries[Middle].rva <= Rva)
            Low = Middle + 1;
        else
            High = Middle;
    }
    if (!Low)
        return FALSE;
    *Rip = Image->Base + Entries[Low - 1].original;
    *Rsp += Entries[Low - 1].pushed;
    return TRUE;
}
