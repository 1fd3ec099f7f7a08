/*
 * The system's intrinsics and wdm.h both define these inline. C++ does not allow that, and in C every object would have one
 * that others see, so that a driver of two files does not link: wdm.h's stay.
 */
#pragma once
#define __INTRINSIC_DEFINED_InterlockedBitTestAndSet
#define __INTRINSIC_DEFINED_InterlockedBitTestAndReset
