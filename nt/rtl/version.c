/*
 * Which Windows the machine says it is: KiDoor->os_*, a workstation, no service pack.
 *
 * A condition mask has three bits for each kind of version part, at three times the number of the part's bit in the
 * type mask (docs: VerSetConditionMask). Major, minor and service pack are compared as one number when they are
 * compared by an order: the first part that differs decides (docs: RtlVerifyVersionInfo).
 */
#include "nt.h"

#undef RtlIsNtDdiVersionAvailable
#undef RtlIsServicePackVersionInstalled

#define SERVICE_PACK_NONE 0
#define PLATFORM_NT 2

#define PRODUCT_WORKSTATION 1
#define SUITE_SINGLE_USER_TS 0x100

NTSTATUS NTAPI RtlGetVersion(PRTL_OSVERSIONINFOW lpVersionInformation)
{
    PRTL_OSVERSIONINFOEXW Extended = (PRTL_OSVERSIONINFOEXW)lpVersionInformation;

    lpVersionInformation->dwMajorVersion = KiDoor->os_major;
    lpVersionInformation->dwMinorVersion = KiDoor->os_minor;
    lpVersionInformation->dwBuildNumber = KiDoor->os_build;
    lpVersionInformation->dwPlatformId = PLATFORM_NT;
    lpVersionInformation->szCSDVersion[0] = 0;
    if (lpVersionInformation->dwOSVersionInfoSize == sizeof(*Extended)) {
        Extended->wServicePackMajor = Extended->wServicePackMinor = SERVICE_PACK_NONE;
        Extended->wSuiteMask = SUITE_SINGLE_USER_TS;
        Extended->wProductType = PRODUCT_WORKSTATION;
        Extended->wReserved = 0;
    }
    return STATUS_SUCCESS;
}

ULONGLONG NTAPI VerSetConditionMask(ULONGLONG ConditionMask, ULONG TypeMask, UCHAR Condition)
{
    for (ULONG Bit = 0; Bit < 8; Bit++)
        if (TypeMask & 1u << Bit)
            return ConditionMask | (ULONGLONG)(Condition & 7) << 3 * Bit;
    return ConditionMask;
}

static ULONG RtlpConditionOf(ULONGLONG Mask, ULONG Type)
{
    return (ULONG)(Mask >> 3 * __builtin_ctz(Type)) & 7;
}

static BOOLEAN RtlpHolds(ULONG Condition, ULONG Machine, ULONG Wanted)
{
    switch (Condition) {
    case VER_EQUAL:
        return Machine == Wanted;
    case VER_GREATER:
        return Machine > Wanted;
    case VER_GREATER_EQUAL:
        return Machine >= Wanted;
    case VER_LESS:
        return Machine < Wanted;
    case VER_LESS_EQUAL:
        return Machine <= Wanted;
    default:
        return FALSE;
    }
}

/* The parts that form one number, the most significant first. */
static BOOLEAN RtlpHierarchyHolds(const RTL_OSVERSIONINFOEXW *Wanted, ULONG TypeMask, ULONGLONG Mask)
{
    const struct {
        ULONG Type, Machine, Wanted;
    } Part[] = {
        {VER_MAJORVERSION, KiDoor->os_major, Wanted->dwMajorVersion},
        {VER_MINORVERSION, KiDoor->os_minor, Wanted->dwMinorVersion},
        {VER_SERVICEPACKMAJOR, SERVICE_PACK_NONE, Wanted->wServicePackMajor},
        {VER_SERVICEPACKMINOR, SERVICE_PACK_NONE, Wanted->wServicePackMinor},
    };
    ULONG Condition = VER_EQUAL;

    for (ULONG i = 0; i < ARRAYSIZE(Part); i++) {
        if (!(TypeMask & Part[i].Type))
            continue;
        if (Condition == VER_EQUAL)
            Condition = RtlpConditionOf(Mask, Part[i].Type);
        if (Part[i].Machine != Part[i].Wanted)
            return RtlpHolds(Condition, Part[i].Machine, Part[i].Wanted);
    }
    return Condition != VER_GREATER && Condition != VER_LESS;
}

NTSTATUS NTAPI RtlVerifyVersionInfo(PRTL_OSVERSIONINFOEXW VersionInfo, ULONG TypeMask, ULONGLONG ConditionMask)
{
    const ULONG Hierarchy = VER_MAJORVERSION | VER_MINORVERSION | VER_SERVICEPACKMAJOR | VER_SERVICEPACKMINOR;
    const RTL_OSVERSIONINFOEXW *V = VersionInfo;

    if (!TypeMask || !ConditionMask)
        return STATUS_INVALID_PARAMETER;
    if ((TypeMask & VER_BUILDNUMBER) &&
        !RtlpHolds(RtlpConditionOf(ConditionMask, VER_BUILDNUMBER), KiDoor->os_build, V->dwBuildNumber))
        return STATUS_REVISION_MISMATCH;
    if ((TypeMask & VER_PLATFORMID) &&
        !RtlpHolds(RtlpConditionOf(ConditionMask, VER_PLATFORMID), PLATFORM_NT, V->dwPlatformId))
        return STATUS_REVISION_MISMATCH;
    if ((TypeMask & VER_PRODUCT_TYPE) &&
        !RtlpHolds(RtlpConditionOf(ConditionMask, VER_PRODUCT_TYPE), PRODUCT_WORKSTATION, V->wProductType))
        return STATUS_REVISION_MISMATCH;
    if (TypeMask & VER_SUITENAME) {
        ULONG Common = V->wSuiteMask & SUITE_SINGLE_USER_TS;
        if (RtlpConditionOf(ConditionMask, VER_SUITENAME) == VER_AND ? Common != V->wSuiteMask : !Common)
            return STATUS_REVISION_MISMATCH;
    }
    if ((TypeMask & Hierarchy) && !RtlpHierarchyHolds(V, TypeMask, ConditionMask))
        return STATUS_REVISION_MISMATCH;
    return STATUS_SUCCESS;
}

/* docs: RtlIsNtDdiVersionAvailable; 0xMMmm0000, the lower half must be 0. */
BOOLEAN NTAPI RtlIsNtDdiVersionAvailable(ULONG Version)
{
    return !(Version & 0xffff) && Version <= ((KiDoor->os_major << 24) | (KiDoor->os_minor << 16));
}

/* docs: RtlIsServicePackVersionInstalled; 0xMMmmss00 */
BOOLEAN NTAPI RtlIsServicePackVersionInstalled(ULONG Version)
{
    return !(Version & 0xff) && (Version & 0xffff0000) == ((KiDoor->os_major << 24) | (KiDoor->os_minor << 16)) &&
           ((Version >> 8) & 0xff) <= SERVICE_PACK_NONE;
}
