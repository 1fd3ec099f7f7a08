/* Intrinsics of Microsoft's compiler that the system's intrin.h does not declare; lib/intrin has them, or the compiler. */
#pragma once

unsigned __int64 __readpmc(unsigned long Counter);
unsigned __int64 __readdr(unsigned int DebugRegister);
void __writedr(unsigned DebugRegister, unsigned __int64 DebugValue);
void __sidt(void *Destination);
void __lidt(void *Source);
void _sgdt(void *Destination);
void _lgdt(void *Source);
void __invlpg(void *Address);
void __wbinvd(void);
void __halt(void);
void __nop(void);
void __swapgs(void);
void _clac(void);
void _stac(void);
unsigned long __segmentlimit(unsigned long Selector);
unsigned char __vmx_on(unsigned __int64 *VmsSupportPhysicalAddress);
void __vmx_off(void);
unsigned char __vmx_vmclear(unsigned __int64 *VmcsPhysicalAddress);
unsigned char __vmx_vmptrld(unsigned __int64 *VmcsPhysicalAddress);
void __vmx_vmptrst(unsigned __int64 *VmcsPhysicalAddress);
unsigned char __vmx_vmread(unsigned __int64 Field, unsigned __int64 *FieldValue);
unsigned char __vmx_vmwrite(unsigned __int64 Field, unsigned __int64 FieldValue);
unsigned char __vmx_vmlaunch(void);
unsigned char __vmx_vmresume(void);
#ifdef __clang__
unsigned char _InterlockedCompareExchange128(__int64 volatile *Destination, __int64 ExchangeHigh, __int64 ExchangeLow,
                                             __int64 *ComparandResult);
#endif
