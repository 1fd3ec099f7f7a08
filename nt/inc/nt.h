/*
 * What every file of the kernel includes: the public NT headers, the door, and the interfaces of the kernel's parts.
 *
 * The public headers read and write IRQL by the CR8 instructions. The kernel's own IRQL is a field of the processor
 * area, so the two intrinsics are replaced before those headers are read.
 */
#pragma once

#define _NTSYSTEM_
#define _NTOSKRNL_
#define _NTHAL_
#define _CRTIMP
#define _SECIMP
#define NTDDI_VERSION 0x0A000008
#define _WIN32_WINNT 0x0A00

#include <intrin.h>

#define __readcr8 KiReadCr8
#define __writecr8 KiWriteCr8
static inline unsigned long long KiReadCr8(void);
void KiWriteCr8(unsigned long long Irql);

/* <intrin.h> has declared these extern by the time wdm.h defines them static, so each object would export them. */
#define InterlockedBitTestAndSet KiWdmBitTestAndSet
#define InterlockedBitTestAndReset KiWdmBitTestAndReset

#include <ntifs.h>
#include <ntddk.h>
#include "ddk_more.h"

#include "door.h"

/* The table the host gave us; constant after KiSystemStartup's first line. */
extern struct door *KiDoor;

#include "rtl/rtlp.h"
#include "ke/ki.h"
#include "hal/hal.h"
#include "mm/mi.h"
#include "ob/obp.h"
#include "ex/exp.h"
#include "se/sep.h"
#include "ps/psp.h"
#include "io/iop.h"
#include "pnp/pnp.h"
#include "po/pop.h"
#include "wmi/wmip.h"
#include "vf/vf.h"
