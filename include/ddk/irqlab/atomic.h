/* Interlocked and fenced access (docs: "Interlocked Variable Access", ReadAcquire, WriteRelease and their families). */
#pragma once

#ifndef KeMemoryBarrier
#define KeMemoryBarrier() __sync_synchronize()
#endif
#ifndef KeMemoryBarrierWithoutFence
#define KeMemoryBarrierWithoutFence() __asm__ volatile("" ::: "memory")
#endif
#ifndef MemoryBarrier
#define MemoryBarrier() __sync_synchronize()
#endif
#ifndef YieldProcessorEx
#define YieldProcessorEx() YieldProcessor()
#endif

#define IRQLAB_READ(Name, Type, Order)                                                                                 \
    FORCEINLINE Type Name(Type const volatile *Source)                                                                 \
    {                                                                                                                  \
        return __atomic_load_n(Source, Order);                                                                         \
    }
#define IRQLAB_WRITE(Name, Type, Order)                                                                                \
    FORCEINLINE VOID Name(Type volatile *Destination, Type Value)                                                      \
    {                                                                                                                  \
        __atomic_store_n(Destination, Value, Order);                                                                   \
    }
#define IRQLAB_ACCESS(Stem, Type)                                                                                      \
    IRQLAB_READ(Read##Stem##Acquire, Type, __ATOMIC_ACQUIRE)                                                           \
    IRQLAB_READ(Read##Stem##NoFence, Type, __ATOMIC_RELAXED)                                                           \
    IRQLAB_WRITE(Write##Stem##Release, Type, __ATOMIC_RELEASE)                                                         \
    IRQLAB_WRITE(Write##Stem##NoFence, Type, __ATOMIC_RELAXED)

IRQLAB_ACCESS(, LONG)
IRQLAB_ACCESS(8, CHAR)
IRQLAB_ACCESS(16, SHORT)
IRQLAB_ACCESS(64, LONG64)
IRQLAB_ACCESS(Boolean, BOOLEAN)
IRQLAB_ACCESS(UChar, UCHAR)
IRQLAB_ACCESS(UShort, USHORT)
IRQLAB_ACCESS(ULong, ULONG)
IRQLAB_ACCESS(ULong64, ULONG64)
IRQLAB_ACCESS(Int32, INT32)
IRQLAB_ACCESS(UInt32, UINT32)
IRQLAB_ACCESS(Pointer, PVOID)

#undef IRQLAB_ACCESS
#undef IRQLAB_WRITE
#undef IRQLAB_READ

/* On x64 each of these is the fenced one. */
#ifndef InterlockedIncrementAcquire
#define InterlockedIncrementAcquire InterlockedIncrement
#define InterlockedIncrementRelease InterlockedIncrement
#define InterlockedDecrementAcquire InterlockedDecrement
#define InterlockedDecrementRelease InterlockedDecrement
#endif
#ifndef InterlockedIncrementNoFence
#define InterlockedIncrementNoFence InterlockedIncrement
#define InterlockedDecrementNoFence InterlockedDecrement
#define InterlockedExchangeNoFence InterlockedExchange
#define InterlockedExchangeAddNoFence InterlockedExchangeAdd
#define InterlockedIncrementNoFence64 InterlockedIncrement64
#define InterlockedDecrementNoFence64 InterlockedDecrement64
#endif
#ifndef InterlockedCompareExchangeAcquire
#define InterlockedCompareExchangeAcquire InterlockedCompareExchange
#define InterlockedCompareExchangeRelease InterlockedCompareExchange
#endif
#ifndef InterlockedCompareExchangeNoFence
#define InterlockedCompareExchangeNoFence InterlockedCompareExchange
#define InterlockedCompareExchangePointerNoFence InterlockedCompareExchangePointer
#define InterlockedExchangePointerNoFence InterlockedExchangePointer
#endif
#ifndef InterlockedIncrement16
#define InterlockedIncrement16 _InterlockedIncrement16
#define InterlockedDecrement16 _InterlockedDecrement16
#define InterlockedCompareExchange16 _InterlockedCompareExchange16
#endif
#ifndef InterlockedCompareExchange128
#define InterlockedCompareExchange128 _InterlockedCompareExchange128
#endif
#ifndef IS_ALIGNED
#define IS_ALIGNED(Pointer, Alignment) ((((ULONG_PTR)(Pointer)) & (((ULONG_PTR)(Alignment)) - 1)) == 0)
#endif

/* docs: RtlIsZeroMemory */
FORCEINLINE BOOLEAN RtlIsZeroMemory(const void *Buffer, SIZE_T Length)
{
    const UCHAR *Byte = (const UCHAR *)Buffer;
    while (Length && !*Byte)
        Byte++, Length--;
    return Length == 0;
}

/* docs: RtlConstantTimeEqualMemory: as long for any bytes */
FORCEINLINE LOGICAL RtlConstantTimeEqualMemory(const void *v1, const void *v2, SIZE_T len)
{
    const volatile UCHAR *a = (const volatile UCHAR *)v1, *b = (const volatile UCHAR *)v2;
    UCHAR different = 0;
    for (SIZE_T i = 0; i < len; i++)
        different |= (UCHAR)(a[i] ^ b[i]);
    return !different;
}

/* docs: READ_REGISTER_ULONG64 and its family */
#ifndef READ_REGISTER_ULONG64
#define READ_REGISTER_ULONG64 READ_REGISTER_ULONG64
FORCEINLINE ULONG64 READ_REGISTER_ULONG64(volatile ULONG64 *Register)
{
    __sync_synchronize();
    return *Register;
}
FORCEINLINE VOID WRITE_REGISTER_ULONG64(volatile ULONG64 *Register, ULONG64 Value)
{
    *Register = Value;
    __sync_synchronize();
}
FORCEINLINE VOID READ_REGISTER_BUFFER_ULONG64(volatile ULONG64 *Register, PULONG64 Buffer, ULONG Count)
{
    for (; Count; Count--)
        *Buffer++ = READ_REGISTER_ULONG64(Register);
}
FORCEINLINE VOID WRITE_REGISTER_BUFFER_ULONG64(volatile ULONG64 *Register, PULONG64 Buffer, ULONG Count)
{
    for (; Count; Count--)
        WRITE_REGISTER_ULONG64(Register, *Buffer++);
}
#endif
