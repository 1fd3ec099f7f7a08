/*
 * Source annotations of Windows 10's kit that Debian's sal.h and driverspecs.h lack. They say something to Microsoft's
 * analyser and nothing to a compiler, so each is empty, or its expression where it wraps one.
 */
#pragma once

#define IRQLAB_ANNOTATION(...)

#ifndef _Dispatch_type_
#define _Dispatch_type_ IRQLAB_ANNOTATION
#endif
#ifndef _Enum_is_bitflag_
#define _Enum_is_bitflag_
#endif
#ifndef _IRQL_always_function_max_
#define _IRQL_always_function_max_ IRQLAB_ANNOTATION
#define _IRQL_always_function_min_ IRQLAB_ANNOTATION
#endif
#ifndef _IRQL_is_cancel_
#define _IRQL_is_cancel_
#endif
#ifndef _IRQL_uses_cancel_
#define _IRQL_uses_cancel_
#endif
#ifndef _IRQL_saves_global_
#define _IRQL_saves_global_ IRQLAB_ANNOTATION
#define _IRQL_restores_global_ IRQLAB_ANNOTATION
#endif
#ifndef _Interlocked_operand_
#define _Interlocked_operand_
#endif
#ifndef _Kernel_requires_resource_held_
#define _Kernel_requires_resource_held_ IRQLAB_ANNOTATION
#define _Kernel_requires_resource_not_held_ IRQLAB_ANNOTATION
#define _Kernel_acquires_resource_ IRQLAB_ANNOTATION
#define _Kernel_releases_resource_ IRQLAB_ANNOTATION
#endif
#ifndef _Kernel_clear_do_init_
#define _Kernel_clear_do_init_ IRQLAB_ANNOTATION
#endif
#ifndef _Kernel_entry_
#define _Kernel_entry_
#define _Kernel_entry_always_
#endif
#ifndef _Kernel_IoGetDmaAdapter_
#define _Kernel_IoGetDmaAdapter_
#endif
#ifndef _Kernel_float_saved_
#define _Kernel_float_saved_
#define _Kernel_float_restored_
#define _Kernel_float_used_
#endif
#ifndef _Maybenull_
#define _Maybenull_
#endif
#ifndef _Notnull_
#define _Notnull_
#endif
#ifndef _Prepost_
#define _Prepost_ IRQLAB_ANNOTATION
#endif
#ifndef _Unreferenced_parameter_
#define _Unreferenced_parameter_
#endif
#ifndef _No_competing_thread_
#define _No_competing_thread_
#endif
#ifndef __drv_Mode_impl
#define __drv_Mode_impl IRQLAB_ANNOTATION
#endif
#ifndef __drv_acquiresExclusiveResource
#define __drv_acquiresExclusiveResource IRQLAB_ANNOTATION
#define __drv_releasesExclusiveResource IRQLAB_ANNOTATION
#endif
#ifndef __drv_acquiresResource
#define __drv_acquiresResource IRQLAB_ANNOTATION
#define __drv_releasesResource IRQLAB_ANNOTATION
#endif
#ifndef __drv_mustHold
#define __drv_mustHold IRQLAB_ANNOTATION
#define __drv_neverHold IRQLAB_ANNOTATION
#endif
#ifndef __drv_clearDoInit
#define __drv_clearDoInit IRQLAB_ANNOTATION
#endif
#ifndef __drv_constant
#define __drv_constant
#define __drv_nonConstant
#endif
#ifndef __drv_declspec
#define __drv_declspec IRQLAB_ANNOTATION
#endif
#ifndef __drv_floatSaved
#define __drv_floatSaved
#define __drv_floatRestored
#define __drv_floatUsed
#endif
#ifndef __drv_functionClass
#define __drv_functionClass IRQLAB_ANNOTATION
#endif
#ifndef __drv_inTry
#define __drv_inTry
#define __drv_notInTry
#endif
#ifndef __drv_interlocked
#define __drv_interlocked
#endif
#ifndef __drv_isObjectPointer
#define __drv_isObjectPointer
#endif
#ifndef __drv_minIRQL
#define __drv_minIRQL IRQLAB_ANNOTATION
#endif
#ifndef __drv_preferredFunction
#define __drv_preferredFunction IRQLAB_ANNOTATION
#endif
#ifndef __drv_reportError
#define __drv_reportError IRQLAB_ANNOTATION
#endif
#ifndef __drv_ret
#define __drv_ret IRQLAB_ANNOTATION
#endif
#ifndef __drv_sameIRQL
#define __drv_sameIRQL
#endif
#ifndef __drv_strictType
#define __drv_strictType IRQLAB_ANNOTATION
#endif
#ifndef __drv_strictTypeMatch
#define __drv_strictTypeMatch IRQLAB_ANNOTATION
#endif
#ifndef NT_ANALYSIS_ASSUME
#define NT_ANALYSIS_ASSUME(Expression) ((void)0)
#endif
#ifndef CFORCEINLINE
#define CFORCEINLINE FORCEINLINE
#endif
