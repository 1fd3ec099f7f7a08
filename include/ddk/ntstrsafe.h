/* See wdm.h. */
#include_next <ntstrsafe.h>
#ifdef __cplusplus
extern "C" {
#endif
#include <irqlab/strings.h>
#ifdef __cplusplus
}
#endif
