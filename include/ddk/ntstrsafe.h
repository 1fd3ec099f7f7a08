/* See wdm.h. */
#include_next <ntstrsafe.h>
#include <irqlab/strings.h>
