/*
 * Windows Management Instrumentation: drivers' data blocks and events.
 *
 * A device that registers is a provider: it is asked for its blocks (IRP_MN_REGINFO_EX), each a GUID with a number of
 * instances. Drivers read and write blocks of others by name (IoWMIOpenBlock), and hear events. Registrations and events
 * go into the event record (door.h: DOOR_EVENT_WMI).
 */
#pragma once

#include <wmistr.h>

#define WMI_TAG 'imWp'
#define WMI_NAMES_LENGTH 256 /* of an instance's name, characters */

typedef struct _WMI_BLOCK {
    GUID Guid;
    ULONG Flags, Instances;
    PWSTR Base;    /* of instance names: Base with a number behind it */
    PWSTR *Names;  /* or each one; both NULL: the provider names them itself */
    BOOLEAN Fresh; /* WmipSwitchOn has not seen it */
} WMI_BLOCK, *PWMI_BLOCK;

typedef struct _WMI_PROVIDER {
    LIST_ENTRY Entry; /* in WmipProviders */
    PDEVICE_OBJECT Device;
    ULONG Id;
    ULONG Blocks;
    PWMI_BLOCK Block;
} WMI_PROVIDER, *PWMI_PROVIDER;

extern LIST_ENTRY WmipProviders;

/* Send an IRP_MJ_SYSTEM_CONTROL. Information: bytes that came back. */
NTSTATUS WmipSend(PDEVICE_OBJECT Device, UCHAR Minor, PVOID DataPath, PVOID Buffer, ULONG Bytes, PULONG Information);
PWMI_BLOCK WmipFindBlock(PWMI_PROVIDER Provider, const GUID *Guid);  /* NULL = it has none */
BOOLEAN WmipInstanceName(PWMI_BLOCK Block, ULONG Index, PWSTR Name); /* FALSE = the provider names them */
VOID WmipDeviceGoes(PDEVICE_OBJECT Device);
VOID WmipRecord(ULONG What, const GUID *Guid, ULONG Provider, ULONG Count, const VOID *Data, ULONG Bytes);
VOID WmipTellListeners(PWNODE_HEADER Event);
/* A provider has told its blocks: fresh ones that somebody hears, or reads at some expense, are switched on. */
VOID WmipSwitchOn(PWMI_PROVIDER Provider);
