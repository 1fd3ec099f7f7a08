/*
 * Are the data of a property what its type says? (docs: "Property-Data-Type Identifiers" below DEVPROPTYPE: one page for
 * each; IoSetDevicePropertyData)
 */
#include "nt.h"

#define PNP_ANY 0xffffffff /* size: at least one byte; count: strings of characters */
#define PNP_TEXT 0xfffffffe

/* By type: the bytes of one. */
static const ULONG PnpSizes[] = {[DEVPROP_TYPE_SBYTE] = 1,
                                 [DEVPROP_TYPE_BYTE] = 1,
                                 [DEVPROP_TYPE_INT16] = 2,
                                 [DEVPROP_TYPE_UINT16] = 2,
                                 [DEVPROP_TYPE_INT32] = 4,
                                 [DEVPROP_TYPE_UINT32] = 4,
                                 [DEVPROP_TYPE_INT64] = 8,
                                 [DEVPROP_TYPE_UINT64] = 8,
                                 [DEVPROP_TYPE_FLOAT] = 4,
                                 [DEVPROP_TYPE_DOUBLE] = 8,
                                 [DEVPROP_TYPE_DECIMAL] = 16,
                                 [DEVPROP_TYPE_GUID] = sizeof(GUID),
                                 [DEVPROP_TYPE_CURRENCY] = 8,
                                 [DEVPROP_TYPE_DATE] = 8,
                                 [DEVPROP_TYPE_FILETIME] = 8,
                                 [DEVPROP_TYPE_BOOLEAN] = 1,
                                 [DEVPROP_TYPE_STRING] = PNP_TEXT,
                                 [DEVPROP_TYPE_SECURITY_DESCRIPTOR] = PNP_ANY,
                                 [DEVPROP_TYPE_SECURITY_DESCRIPTOR_STRING] = PNP_TEXT,
                                 [DEVPROP_TYPE_DEVPROPKEY] = sizeof(DEVPROPKEY),
                                 [DEVPROP_TYPE_DEVPROPTYPE] = sizeof(DEVPROPTYPE),
                                 [DEVPROP_TYPE_ERROR] = 4,
                                 [DEVPROP_TYPE_NTSTATUS] = 4,
                                 [DEVPROP_TYPE_STRING_INDIRECT] = PNP_TEXT};

/* One string and its terminator; a list: strings, none of them empty, and one terminator more. */
static BOOLEAN PnpIsText(PCWSTR Text, ULONG Bytes, BOOLEAN List)
{
    ULONG Characters = Bytes / sizeof(WCHAR);
    if (!Bytes || Bytes % sizeof(WCHAR) || Text[Characters - 1])
        return FALSE;
    if (List && Characters > 1 && Text[Characters - 2])
        return FALSE;
    for (ULONG i = 0; i + 1 < Characters; i++)
        if (!Text[i] && (!List || i == 0 || !Text[i - 1] || (i + 2 < Characters && !Text[i + 1])))
            return FALSE;
    return TRUE;
}

static BOOLEAN PnpIsValue(DEVPROPTYPE Type, PUCHAR Data)
{
    LONGLONG Time;
    if (Type == DEVPROP_TYPE_BOOLEAN)
        return *Data == (UCHAR)DEVPROP_TRUE || *Data == DEVPROP_FALSE;
    if (Type != DEVPROP_TYPE_FILETIME)
        return TRUE;
    RtlCopyMemory(&Time, Data, sizeof(Time));
    return Time >= 0;
}

BOOLEAN PnpIsProperty(LCID Lcid, DEVPROPTYPE Type, ULONG Bytes, PVOID Data)
{
    DEVPROPTYPE Base = Type & DEVPROP_MASK_TYPE, Modifier = Type & DEVPROP_MASK_TYPEMOD;
    ULONG One = Base < RTL_NUMBER_OF(PnpSizes) ? PnpSizes[Base] : 0;
    BOOLEAN Text = One == PNP_TEXT;
    if (Base > MAX_DEVPROP_TYPE || (Type & ~(DEVPROP_MASK_TYPE | DEVPROP_MASK_TYPEMOD)))
        return FALSE;
    if (Base == DEVPROP_TYPE_STRING_INDIRECT && Lcid)
        return FALSE;
    if (Base == DEVPROP_TYPE_EMPTY || Base == DEVPROP_TYPE_NULL)
        return !Modifier && !Bytes;
    if (Modifier == DEVPROP_TYPEMOD_LIST)
        return Text && Base != DEVPROP_TYPE_STRING_INDIRECT && PnpIsText(Data, Bytes, TRUE);
    if (Text)
        return !Modifier && PnpIsText(Data, Bytes, FALSE);
    if (One == PNP_ANY || !Bytes)
        return !Modifier && Bytes;
    if (Modifier ? Modifier != DEVPROP_TYPEMOD_ARRAY || Bytes % One : Bytes != One)
        return FALSE;
    for (ULONG i = 0; i < Bytes; i += One)
        if (!PnpIsValue(Base, (PUCHAR)Data + i))
            return FALSE;
    return TRUE;
}
