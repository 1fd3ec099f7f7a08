/*
 * wdm.h of the system, then what it lacks of Windows 10's. `irqlab cc` puts this folder in front of the system's, so
 * drivers include the names they always do.
 */
#include <irqlab/first.h>
#include_next <wdm.h>
#include <driverspecs.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <irqlab/annotations.h>
#include <irqlab/intrinsics.h>
#include <irqlab/pool.h>
#include <irqlab/atomic.h>
#include <irqlab/kernel.h>
#include <irqlab/memory.h>
#include <irqlab/io.h>
#include <irqlab/power.h>
#include <irqlab/transaction.h>
#ifdef __cplusplus
}
#endif
