/*
 * Intrinsics of Microsoft's compiler that clang and gcc declare and do not have: privileged instructions, mostly. One routine
 * each, so that a driver that names one links; what the instruction does is up to the machine it runs on.
 * (docs: "x64 (amd64) intrinsics list")
 */
#include <stdint.h>

#define BARRIER "memory"
#define ROUTINE(Type, Name) __attribute__((noinline)) Type Name

ROUTINE(uint64_t, __readpmc)(unsigned long counter)
{
    uint32_t low, high;
    __asm__ volatile("rdpmc" : "=a"(low), "=d"(high) : "c"((uint32_t)counter));
    return (uint64_t)high << 32 | low;
}

#define EACH_DEBUG_REGISTER(Do) Do(0) Do(1) Do(2) Do(3) Do(6) Do(7)

ROUTINE(uint64_t, __readdr)(unsigned number)
{
    uint64_t value = 0;
#define READ(Number)                                                                                                   \
    if (number == Number)                                                                                              \
        __asm__ volatile("mov %%dr" #Number ", %0" : "=r"(value));
    EACH_DEBUG_REGISTER(READ)
    return value;
}

ROUTINE(void, __writedr)(unsigned number, uint64_t value)
{
#define WRITE(Number)                                                                                                  \
    if (number == Number)                                                                                              \
        __asm__ volatile("mov %0, %%dr" #Number ::"r"(value) : BARRIER);
    EACH_DEBUG_REGISTER(WRITE)
}

#define TO_MEMORY(Name, Instruction)                                                                                   \
    ROUTINE(void, Name)(void *at)                                                                                      \
    {                                                                                                                  \
        __asm__ volatile(Instruction " %0" : "=m"(*(char(*)[10])at)::BARRIER);                                         \
    }
#define FROM_MEMORY(Name, Instruction)                                                                                 \
    ROUTINE(void, Name)(void *at)                                                                                      \
    {                                                                                                                  \
        __asm__ volatile(Instruction " %0" ::"m"(*(char(*)[10])at) : BARRIER);                                         \
    }
TO_MEMORY(__sidt, "sidt")
TO_MEMORY(_sgdt, "sgdt")
FROM_MEMORY(__lidt, "lidt")
FROM_MEMORY(_lgdt, "lgdt")
FROM_MEMORY(__invlpg, "invlpg")

#define ALONE(Name, Instruction)                                                                                       \
    ROUTINE(void, Name)(void)                                                                                          \
    {                                                                                                                  \
        __asm__ volatile(Instruction ::: BARRIER);                                                                     \
    }
ALONE(__wbinvd, "wbinvd")
ALONE(__halt, "hlt")
ALONE(_disable, "cli")
ALONE(_enable, "sti")
ALONE(__nop, "nop")
ALONE(_clac, "clac")
ALONE(_stac, "stac")
ALONE(__swapgs, "swapgs")
ALONE(__vmx_off, "vmxoff")

ROUTINE(unsigned long, __segmentlimit)(unsigned long selector)
{
    uint32_t limit = 0;
    __asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"((uint32_t)selector) : "cc");
    return limit;
}

/* Compiled as a routine: the flags as the caller's call left them. */
ROUTINE(unsigned, __getcallerseflags)(void)
{
    uint64_t flags;
    __asm__ volatile("pushfq; popq %0" : "=r"(flags)::BARRIER);
    return (unsigned)flags;
}

ROUTINE(unsigned short, _byteswap_ushort)(unsigned short value)
{
    return __builtin_bswap16(value);
}

ROUTINE(unsigned long, _byteswap_ulong)(unsigned long value)
{
    return __builtin_bswap32((uint32_t)value);
}

ROUTINE(uint64_t, _byteswap_uint64)(uint64_t value)
{
    return __builtin_bswap64(value);
}

/* 0: done, 1: failed with a status, 2: failed without one. */
#define VMX_ANSWER(Name, Instruction)                                                                                  \
    ROUTINE(unsigned char, Name)(uint64_t * address)                                                                   \
    {                                                                                                                  \
        unsigned char carry, zero;                                                                                     \
        __asm__ volatile(Instruction " %2" : "=@ccc"(carry), "=@ccz"(zero) : "m"(*address) : BARRIER);                 \
        return carry ? 2 : zero;                                                                                       \
    }
VMX_ANSWER(__vmx_on, "vmxon")
VMX_ANSWER(__vmx_vmclear, "vmclear")
VMX_ANSWER(__vmx_vmptrld, "vmptrld")

ROUTINE(void, __vmx_vmptrst)(uint64_t *address)
{
    __asm__ volatile("vmptrst %0" : "=m"(*address)::BARRIER);
}

ROUTINE(unsigned char, __vmx_vmread)(uint64_t field, uint64_t *value)
{
    unsigned char carry, zero;
    __asm__ volatile("vmread %3, %2" : "=@ccc"(carry), "=@ccz"(zero), "=r"(*value) : "r"(field));
    return carry ? 2 : zero;
}

ROUTINE(unsigned char, __vmx_vmwrite)(uint64_t field, uint64_t value)
{
    unsigned char carry, zero;
    __asm__ volatile("vmwrite %3, %2" : "=@ccc"(carry), "=@ccz"(zero) : "r"(field), "r"(value) : BARRIER);
    return carry ? 2 : zero;
}

ROUTINE(unsigned char, __vmx_vmlaunch)(void)
{
    unsigned char carry, zero;
    __asm__ volatile("vmlaunch" : "=@ccc"(carry), "=@ccz"(zero)::BARRIER);
    return carry ? 2 : zero;
}

ROUTINE(unsigned char, __vmx_vmresume)(void)
{
    unsigned char carry, zero;
    __asm__ volatile("vmresume" : "=@ccc"(carry), "=@ccz"(zero)::BARRIER);
    return carry ? 2 : zero;
}
