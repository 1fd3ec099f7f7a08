/* See wdm.h, which the system's ntifs.h includes by way of ntddk.h. */
#include_next <ntifs.h>
#include <irqlab/files.h>
