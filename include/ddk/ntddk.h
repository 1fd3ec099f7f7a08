/* See wdm.h, which the system's ntddk.h includes. */
#include_next <ntddk.h>
#include <irqlab/process.h>
