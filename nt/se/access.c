/*
 * Access masks, and privileges of kernel mode.
 */
#include "nt.h"

/* docs: RtlMapGenericMask. */
VOID NTAPI RtlMapGenericMask(PACCESS_MASK Access, PGENERIC_MAPPING Mapping)
{
    if (*Access & GENERIC_READ)
        *Access |= Mapping->GenericRead;
    if (*Access & GENERIC_WRITE)
        *Access |= Mapping->GenericWrite;
    if (*Access & GENERIC_EXECUTE)
        *Access |= Mapping->GenericExecute;
    if (*Access & GENERIC_ALL)
        *Access |= Mapping->GenericAll;
    *Access &= ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE | GENERIC_ALL);
}

BOOLEAN NTAPI RtlAreAllAccessesGranted(ACCESS_MASK Granted, ACCESS_MASK Desired)
{
    return (~Granted & Desired) == 0;
}

BOOLEAN NTAPI RtlAreAnyAccessesGranted(ACCESS_MASK Granted, ACCESS_MASK Desired)
{
    return (Granted & Desired) != 0;
}

/* docs: SeSinglePrivilegeCheck: kernel mode has every privilege. User mode does not exist yet. */
BOOLEAN NTAPI SeSinglePrivilegeCheck(LUID Privilege, KPROCESSOR_MODE Mode)
{
    return Mode == KernelMode;
}
