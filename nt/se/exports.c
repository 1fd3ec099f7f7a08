/*
 * SeExports: the well-known privileges and identifiers (docs: SE_EXPORTS, Well-known SIDs, Privilege Constants).
 */
#include "nt.h"

typedef struct _SEP_SID {
    UCHAR Revision, Count;
    UCHAR Authority[6];
    ULONG Sub[2];
} SEP_SID;
C_ASSERT(FIELD_OFFSET(SEP_SID, Sub) == FIELD_OFFSET(SID, SubAuthority));

#define SID_OF(Name, Authority, Count, ...)                                                                            \
    static SEP_SID Sep##Name = {1, Count, {0, 0, 0, 0, 0, Authority}, {__VA_ARGS__}}

SID_OF(NullSid, 0, 1, 0);
SID_OF(WorldSid, 1, 1, 0);
SID_OF(LocalSid, 2, 1, 0);
SID_OF(CreatorOwnerSid, 3, 1, 0);
SID_OF(CreatorGroupSid, 3, 1, 1);
SID_OF(OwnerRightsSid, 3, 1, 4);
SID_OF(NtAuthoritySid, 5, 0, 0);
SID_OF(DialupSid, 5, 1, 1);
SID_OF(NetworkSid, 5, 1, 2);
SID_OF(BatchSid, 5, 1, 3);
SID_OF(InteractiveSid, 5, 1, 4);
SID_OF(AnonymousLogonSid, 5, 1, 7);
SID_OF(AuthenticatedUsersSid, 5, 1, 11);
SID_OF(RestrictedSid, 5, 1, 12);
SID_OF(IUserSid, 5, 1, 17);
SID_OF(LocalSystemSid, 5, 1, 18);
SID_OF(LocalServiceSid, 5, 1, 19);
SID_OF(NetworkServiceSid, 5, 1, 20);
SID_OF(AliasAdminsSid, 5, 2, 32, 544);
SID_OF(AliasUsersSid, 5, 2, 32, 545);
SID_OF(AliasGuestsSid, 5, 2, 32, 546);
SID_OF(AliasPowerUsersSid, 5, 2, 32, 547);
SID_OF(AliasAccountOpsSid, 5, 2, 32, 548);
SID_OF(AliasSystemOpsSid, 5, 2, 32, 549);
SID_OF(AliasPrintOpsSid, 5, 2, 32, 550);
SID_OF(AliasBackupOpsSid, 5, 2, 32, 551);
SID_OF(UntrustedMandatorySid, 16, 1, 0);
SID_OF(LowMandatorySid, 16, 1, 0x1000);
SID_OF(MediumMandatorySid, 16, 1, 0x2000);
SID_OF(HighMandatorySid, 16, 1, 0x3000);
SID_OF(SystemMandatorySid, 16, 1, 0x4000);

#define LUID_OF(Name, Value) .Se##Name##Privilege = {Value, 0}
#define PSID_OF(Name) .Se##Name = &Sep##Name

static SE_EXPORTS SepExports = {
    LUID_OF(CreateToken, 2),
    LUID_OF(AssignPrimaryToken, 3),
    LUID_OF(LockMemory, 4),
    LUID_OF(IncreaseQuota, 5),
    LUID_OF(UnsolicitedInput, 6),
    LUID_OF(Tcb, 7),
    LUID_OF(Security, 8),
    LUID_OF(TakeOwnership, 9),
    LUID_OF(LoadDriver, 10),
    LUID_OF(SystemProfile, 11),
    LUID_OF(Systemtime, 12),
    LUID_OF(ProfileSingleProcess, 13),
    LUID_OF(IncreaseBasePriority, 14),
    LUID_OF(CreatePagefile, 15),
    LUID_OF(CreatePermanent, 16),
    LUID_OF(Backup, 17),
    LUID_OF(Restore, 18),
    LUID_OF(Shutdown, 19),
    LUID_OF(Debug, 20),
    LUID_OF(Audit, 21),
    LUID_OF(SystemEnvironment, 22),
    LUID_OF(ChangeNotify, 23),
    LUID_OF(RemoteShutdown, 24),
    LUID_OF(Undock, 25),
    LUID_OF(SyncAgent, 26),
    LUID_OF(EnableDelegation, 27),
    LUID_OF(ManageVolume, 28),
    LUID_OF(Impersonate, 29),
    LUID_OF(CreateGlobal, 30),
    LUID_OF(TrustedCredManAccess, 31),
    LUID_OF(Relabel, 32),
    LUID_OF(IncreaseWorkingSet, 33),
    LUID_OF(TimeZone, 34),
    LUID_OF(CreateSymbolicLink, 35),
    PSID_OF(NullSid),
    PSID_OF(WorldSid),
    PSID_OF(LocalSid),
    PSID_OF(CreatorOwnerSid),
    PSID_OF(CreatorGroupSid),
    PSID_OF(NtAuthoritySid),
    PSID_OF(DialupSid),
    PSID_OF(NetworkSid),
    PSID_OF(BatchSid),
    PSID_OF(InteractiveSid),
    PSID_OF(LocalSystemSid),
    PSID_OF(AliasAdminsSid),
    PSID_OF(AliasUsersSid),
    PSID_OF(AliasGuestsSid),
    PSID_OF(AliasPowerUsersSid),
    PSID_OF(AliasAccountOpsSid),
    PSID_OF(AliasSystemOpsSid),
    PSID_OF(AliasPrintOpsSid),
    PSID_OF(AliasBackupOpsSid),
    PSID_OF(AuthenticatedUsersSid),
    PSID_OF(RestrictedSid),
    PSID_OF(AnonymousLogonSid),
    PSID_OF(LocalServiceSid),
    PSID_OF(NetworkServiceSid),
    PSID_OF(IUserSid),
    PSID_OF(UntrustedMandatorySid),
    PSID_OF(LowMandatorySid),
    PSID_OF(MediumMandatorySid),
    PSID_OF(HighMandatorySid),
    PSID_OF(SystemMandatorySid),
    PSID_OF(OwnerRightsSid),
};

PSE_EXPORTS SeExports = &SepExports;
