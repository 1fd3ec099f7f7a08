/*
 * Sections.
 */
#include "nt.h"
#include "mm/space.h"

UINT64 MiSectionPage(struct _MI_SECTION *Section, UINT64 Offset, BOOLEAN Write, NTSTATUS *Status)
{
    *Status = STATUS_ACCESS_VIOLATION;
    return 0;
}

VOID MiSectionUnmapped(struct _MI_SECTION *Section)
{
}
