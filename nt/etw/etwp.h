/*
 * Event tracing, between its files.
 */
#pragma once

#define ETWP_INFORMATION 4 /* TRACE_LEVEL_INFORMATION */

struct door_event_etw;

/* Where an event's data may be put together before EtwpRecord: no delivery point until then. */
PUCHAR EtwpDataRoom(PULONG Bytes);
VOID EtwpRecord(const struct door_event_etw *Header, const UCHAR *Data, ULONG Bytes);
VOID EtwpTransfer(LPCGUID Provider, LPCGUID Activity, LPCGUID Related);
