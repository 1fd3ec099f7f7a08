/*
 * The system's intrinsics and wdm.h both define these inline. C++ does not allow that, and in C every object would have one
 * that others see, so that a driver of two files does not link: wdm.h's stay.
 */
#pragma once
#define __INTRINSIC_DEFINED_InterlockedBitTestAndSet
#define __INTRINSIC_DEFINED_InterlockedBitTestAndReset

/*
 * Microsoft's compiler makes a body of such a routine wherever one is wanted; here there would be none, and clang inlines nothing
 * inside __try: so each file has its own.
 */
#if defined(__clang__) && !defined(__cplusplus) && defined(_KERNEL_MODE)
#include <_mingw.h>
#pragma clang diagnostic ignored "-Wduplicate-decl-specifier" /* static FORCEINLINE */
#undef __forceinline
#define __forceinline static __inline__ __attribute__((__always_inline__, __unused__))
#undef FORCEINLINE
#define FORCEINLINE __forceinline
#endif
