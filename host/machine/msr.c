/*
 * The processor the machine has, see msr.h: x86-64 up to SSE4.2, 3 GHz, without the extensions that only some hosts
 * have. Values are those Windows sets up or an ordinary processor shows after it, as far as drivers look at them.
 */
#define _GNU_SOURCE
#include "machine/msr.h"

#include <string.h>

#include "loader/image.h"

uint64_t msr_time_stamp(void)
{
    return ++machine.door.now * DOOR_CYCLES;
}

static uint32_t number_of(const struct trap *t)
{
    return (uint32_t)(((uint64_t)t->area - DOOR_PROCESSOR_BASE) / DOOR_PROCESSOR_BYTES);
}

static const struct {
    uint32_t number;
    uint64_t value;
} constants[] = {
    {0x017, 0},                     /* PLATFORM_ID */
    {0x03a, 0x5},                   /* FEATURE_CONTROL: locked, VMX allowed */
    {0x08b, 0x000000de00000000ull}, /* BIOS_SIGN_ID */
    {0x0ce, 0x0000080000001e00ull}, /* PLATFORM_INFO: ratio 30 */
    {0x0fe, 0x508},                 /* MTRRCAP */
    {0x10a, 0},                     /* ARCH_CAPABILITIES */
    {0x174, 0x10},                  /* SYSENTER_CS */
    {0x175, 0},
    {0x176, 0},
    {0x179, 0},                          /* MCG_CAP: no machine check banks */
    {0x17a, 0},                          /* MCG_STATUS */
    {0x198, 0x0000000000001e00ull},      /* PERF_STATUS */
    {0x199, 0x0000000000001e00ull},      /* PERF_CTL */
    {0x19a, 0},                          /* CLOCK_MODULATION */
    {0x19b, 0},                          /* THERM_INTERRUPT */
    {0x19c, 0x88000000},                 /* THERM_STATUS: valid, nothing to report */
    {0x1a0, 0x850089},                   /* MISC_ENABLE */
    {0x1a2, 0x640000},                   /* TEMPERATURE_TARGET: 100 degrees */
    {0x1d9, 0},                          /* DEBUGCTL */
    {0x277, 0x0007010600070106ull},      /* PAT */
    {0x2ff, 0xc06},                      /* MTRR_DEF_TYPE */
    {0xc0000080, 0xd01},                 /* EFER: SCE, LME, LMA, NXE */
    {0xc0000081, 0x0023001000000000ull}, /* STAR */
    {0xc0000083, 0},                     /* CSTAR */
    {0xc0000084, 0x4700},                /* FMASK */
    {0xc0000100, 0},                     /* FS_BASE */
    {0xc0000102, 0},                     /* KERNEL_GS_BASE: no user thread yet */
};

bool msr_read(const struct trap *t, uint32_t number, uint64_t *value)
{
    switch (number) {
    case 0x010: /* TIME_STAMP_COUNTER */
        *value = msr_time_stamp();
        return true;
    case 0x0e7: /* MPERF, APERF */
    case 0x0e8:
        *value = machine.door.now * DOOR_CYCLES;
        return true;
    case 0x01b: /* APIC_BASE: enabled, bootstrap processor */
        *value = 0xfee00800ull | (number_of(t) == 0 ? 0x100 : 0);
        return true;
    case 0xc0000082: /* LSTAR: where Windows' system calls enter */
        *value = images_export(0, "KiSystemCall64");
        if (!*value)
            *value = machine.door.image[0].base;
        return true;
    case 0xc0000101: /* GS_BASE */
        *value = (uint64_t)t->area;
        return true;
    case 0xc0000103: /* TSC_AUX */
        *value = number_of(t);
        return true;
    }
    for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
        if (constants[i].number == number) {
            *value = constants[i].value;
            return true;
        }
    }
    return false;
}

bool msr_control(unsigned number, uint64_t *value)
{
    static const uint64_t values[5] = {0x80050033, 0, 0, 0x1ad000, 0x306f8};

    if (number > 4 || number == 1)
        return false;
    *value = values[number];
    return true;
}

static void put(uint32_t out[4], uint32_t a, uint32_t b, uint32_t c, uint32_t d)
{
    out[0] = a;
    out[1] = b;
    out[2] = c;
    out[3] = d;
}

/* Leaf 1. ecx: SSE3 SSSE3 CX16 SSE4.1 SSE4.2 POPCNT; edx: FPU VME DE PSE TSC MSR PAE MCE CX8 APIC SEP MTRR PGE MCA CMOV
 * PAT PSE36 CLFSH MMX FXSR SSE SSE2 HTT. */
static void leaf_1(uint32_t out[4], const struct trap *t)
{
    put(out, 0x000906e9, 0x00000800 | machine.door.processors << 16 | number_of(t) << 24, 0x00982201, 0x178bfbff);
}

void msr_cpuid(uint32_t leaf, uint32_t sub, uint32_t out[4], const struct trap *t)
{
    static const char brand[48] = "irqlab virtual processor @ 3.00GHz";

    switch (leaf) {
    case 0:
        put(out, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69); /* GenuineIntel: what most drivers know how to handle */
        break;
    case 1:
        leaf_1(out, t);
        break;
    case 0x15:
        put(out, 2, 250, 24000000, 0);
        break;
    case 0x16:
        put(out, 3000, 3000, 100, 0);
        break;
    case 0x80000000:
        put(out, 0x80000008, 0, 0, 0);
        break;
    case 0x80000001:
        put(out, 0, 0, 1, 0x20100800); /* LAHF; SYSCALL, NX, long mode */
        break;
    case 0x80000002:
    case 0x80000003:
    case 0x80000004:
        memcpy(out, brand + 16 * (leaf - 0x80000002), 16);
        break;
    case 0x80000007:
        put(out, 0, 0, 0, 0x100); /* invariant time stamp counter */
        break;
    case 0x80000008:
        put(out, 0x3027, 0, 0, 0); /* 39 physical, 48 linear address bits */
        break;
    default:
        put(out, 0, 0, 0, 0);
    }
}
