/* See wdm.h, which the system's ntddk.h includes. */
#include <irqlab/first.h>
#include_next <ntddk.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <irqlab/process.h>
#ifdef __cplusplus
}
#endif
