/* See wdm.h, which the system's ntifs.h includes by way of ntddk.h. */
#include <irqlab/first.h>
#include_next <ntifs.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <irqlab/files.h>
#ifdef __cplusplus
}
#endif
#include <irqlab/registry.h>
#include <irqlab/security.h>
