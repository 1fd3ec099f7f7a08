/*
 * Types of the system that drivers ask for by their exported variables and that no object here has yet: their names and
 * rights are Windows', so that a handle is never taken for one of theirs.
 */
#include "nt.h"

POBJECT_TYPE *LpcPortObjectType, *IoAdapterObjectType;
POBJECT_TYPE *IoDeviceHandlerObjectType; /* NULL on Windows too: a type of old that nothing makes */

static const struct {
    POBJECT_TYPE **Variable;
    OB_TYPE_INIT Init;
} ObpMoreTypes[] = {
    {&LpcPortObjectType, {.Name = L"ALPC Port", .ValidAccess = 0x1f0001, .Mapping = {0x20001, 0x10001, 0, 0x1f0001}}},
    {&IoAdapterObjectType,
     {.Name = L"Adapter", .ValidAccess = 0x1f01ff, .Mapping = {0x120089, 0x120116, 0x1200a0, 0x1f01ff}}},
};

VOID ObpInitializeMoreTypes(VOID)
{
    for (ULONG i = 0; i < RTL_NUMBER_OF(ObpMoreTypes); i++)
        *ObpMoreTypes[i].Variable = (PVOID)ObpCreateType(&ObpMoreTypes[i].Init);
}
