/* See sddl.h. A text is read twice with the same routine: to count the room, then to fill it. */
#include "sddl.h"

enum { MOST_AUTHORITIES = 15, MOST_SID_BYTES = 8 + 4 * MOST_AUTHORITIES };

typedef struct _SDDL_READER {
    PCWSTR At, End;
} SDDL_READER, *PSDDL_READER;

typedef union _SDDL_SID {
    SID Sid;
    UCHAR Room[MOST_SID_BYTES];
} SDDL_SID, *PSDDL_SID;

typedef struct _SDDL_ENTRY {
    UCHAR Type, Flags;
    ACCESS_MASK Rights;
    SDDL_SID Who;
} SDDL_ENTRY, *PSDDL_ENTRY;

typedef struct _SDDL_WORD {
    WCHAR Letters[3];
    ULONG Value;
} SDDL_WORD;

static const SDDL_WORD Rights[] = {{L"GA", GENERIC_ALL},
                                   {L"GR", GENERIC_READ},
                                   {L"GW", GENERIC_WRITE},
                                   {L"GX", GENERIC_EXECUTE},
                                   {L"RC", READ_CONTROL},
                                   {L"SD", DELETE},
                                   {L"WD", WRITE_DAC},
                                   {L"WO", WRITE_OWNER},
                                   {L"FA", FILE_ALL_ACCESS},
                                   {L"CC", 0x1},
                                   {L"DC", 0x2},
                                   {L"LC", 0x4},
                                   {L"SW", 0x8},
                                   {L"RP", 0x10},
                                   {L"WP", 0x20},
                                   {L"DT", 0x40},
                                   {L"LO", 0x80},
                                   {L"CR", 0x100},
                                   {L"FR", FILE_GENERIC_READ},
                                   {L"FW", FILE_GENERIC_WRITE},
                                   {L"FX", FILE_GENERIC_EXECUTE}};

static const SDDL_WORD Inheritance[] = {{L"OI", OBJECT_INHERIT_ACE},
                                        {L"CI", CONTAINER_INHERIT_ACE},
                                        {L"NP", NO_PROPAGATE_INHERIT_ACE},
                                        {L"IO", INHERIT_ONLY_ACE},
                                        {L"ID", INHERITED_ACE}};

typedef struct _SDDL_NAME {
    WCHAR Letters[3];
    UCHAR Authority, Count;
    ULONG Sub[2];
} SDDL_NAME;

static const SDDL_NAME Names[] = {
    {L"SY", 5, 1, {18}},      {L"LS", 5, 1, {19}},      {L"NS", 5, 1, {20}},      {L"AN", 5, 1, {7}},
    {L"AU", 5, 1, {11}},      {L"RC", 5, 1, {12}},      {L"IU", 5, 1, {4}},       {L"NU", 5, 1, {2}},
    {L"SU", 5, 1, {6}},       {L"PS", 5, 1, {10}},      {L"BA", 5, 2, {32, 544}}, {L"BU", 5, 2, {32, 545}},
    {L"BG", 5, 2, {32, 546}}, {L"PU", 5, 2, {32, 547}}, {L"AO", 5, 2, {32, 548}}, {L"SO", 5, 2, {32, 549}},
    {L"PO", 5, 2, {32, 550}}, {L"BO", 5, 2, {32, 551}}, {L"RE", 5, 2, {32, 552}}, {L"RU", 5, 2, {32, 554}},
    {L"NO", 5, 2, {32, 556}}, {L"WD", 1, 1, {0}},       {L"CO", 3, 1, {0}},       {L"CG", 3, 1, {1}},
    {L"OW", 3, 1, {4}},       {L"AC", 15, 2, {2, 1}},   {L"LW", 16, 1, {4096}},   {L"ME", 16, 1, {8192}},
    {L"HI", 16, 1, {12288}},  {L"SI", 16, 1, {16384}}};

static BOOLEAN Skip(PSDDL_READER Reader, WCHAR Expected)
{
    while (Reader->At < Reader->End && *Reader->At == L' ')
        Reader->At++;
    if (Reader->At == Reader->End || *Reader->At != Expected)
        return FALSE;
    Reader->At++;
    return TRUE;
}

static BOOLEAN SkipWord(PSDDL_READER Reader, PCWSTR Letters)
{
    if (Reader->End - Reader->At < 2 || Reader->At[0] != Letters[0] || Reader->At[1] != Letters[1])
        return FALSE;
    Reader->At += 2;
    return TRUE;
}

static BOOLEAN Number(PSDDL_READER Reader, ULONG *Value)
{
    ULONG Base = 10, Digits = 0;

    *Value = 0;
    if (Reader->End - Reader->At > 2 && Reader->At[0] == L'0' && (Reader->At[1] | 32) == L'x') {
        Base = 16;
        Reader->At += 2;
    }
    for (; Reader->At < Reader->End; Reader->At++, Digits++) {
        WCHAR c = *Reader->At | 32;
        ULONG Digit = c >= L'0' && c <= L'9' ? c - L'0' : c >= L'a' && c <= L'f' ? c - L'a' + 10u : 16;
        if (Digit >= Base)
            break;
        *Value = *Value * Base + Digit;
    }
    return Digits != 0;
}

static BOOLEAN Words(PSDDL_READER Reader, const SDDL_WORD *Table, ULONG Count, ULONG *Value)
{
    ULONG i;

    for (*Value = 0; Reader->At < Reader->End && *Reader->At != L';'; *Value |= Table[i].Value) {
        for (i = 0; i < Count && !SkipWord(Reader, Table[i].Letters); i++)
            ;
        if (i == Count)
            return FALSE;
    }
    return TRUE;
}

/* S-1-5-32-544 */
static BOOLEAN ReadLongSid(PSDDL_READER Reader, PSID Sid)
{
    ULONG Value;
    PISID Body = Sid;

    if (!Skip(Reader, L'S') || !Skip(Reader, L'-') || !Number(Reader, &Value) || Value != SID_REVISION ||
        !Skip(Reader, L'-') || !Number(Reader, &Value))
        return FALSE;
    RtlZeroMemory(Sid, MOST_SID_BYTES);
    Body->Revision = SID_REVISION;
    for (ULONG i = 0; i < 4; i++)
        Body->IdentifierAuthority.Value[5 - i] = (UCHAR)(Value >> i * 8);
    while (Skip(Reader, L'-')) {
        if (Body->SubAuthorityCount == MOST_AUTHORITIES || !Number(Reader, &Value))
            return FALSE;
        Body->SubAuthority[Body->SubAuthorityCount++] = Value;
    }
    return Body->SubAuthorityCount != 0;
}

static BOOLEAN ReadSid(PSDDL_READER Reader, PSDDL_SID Result)
{
    PISID Sid = &Result->Sid;

    for (ULONG i = 0; i < ARRAYSIZE(Names); i++)
        if (SkipWord(Reader, Names[i].Letters)) {
            RtlZeroMemory(Result, sizeof(*Result));
            Sid->Revision = SID_REVISION;
            Sid->SubAuthorityCount = Names[i].Count;
            Sid->IdentifierAuthority.Value[5] = Names[i].Authority;
            for (ULONG n = 0; n < Names[i].Count; n++)
                Sid->SubAuthority[n] = Names[i].Sub[n];
            return TRUE;
        }
    return ReadLongSid(Reader, Sid);
}

static BOOLEAN ReadEntry(PSDDL_READER Reader, PSDDL_ENTRY Entry)
{
    ULONG Flags;

    if (Skip(Reader, L'A'))
        Entry->Type = ACCESS_ALLOWED_ACE_TYPE;
    else if (Skip(Reader, L'D'))
        Entry->Type = ACCESS_DENIED_ACE_TYPE;
    else
        return FALSE;
    if (!Skip(Reader, L';') || !Words(Reader, Inheritance, ARRAYSIZE(Inheritance), &Flags) || !Skip(Reader, L';'))
        return FALSE;
    Entry->Flags = (UCHAR)Flags;
    if (Reader->At < Reader->End && *Reader->At == L'0') {
        if (!Number(Reader, &Entry->Rights))
            return FALSE;
    } else if (!Words(Reader, Rights, ARRAYSIZE(Rights), &Entry->Rights))
        return FALSE;
    if (!Skip(Reader, L';') || !Skip(Reader, L';') || !Skip(Reader, L';') || !ReadSid(Reader, &Entry->Who))
        return FALSE;
    RtlMapGenericMask(&Entry->Rights, IoGetFileObjectGenericMapping());
    return Skip(Reader, L')');
}

/* All entries; Acl NULL: only *Bytes, the room they need. */
static NTSTATUS ReadEntries(SDDL_READER Reader, PACL Acl, PULONG Bytes)
{
    SDDL_ENTRY Entry;

    *Bytes = sizeof(ACL);
    while (Skip(&Reader, L'(')) {
        if (!ReadEntry(&Reader, &Entry))
            return STATUS_INVALID_PARAMETER;
        *Bytes += sizeof(ACCESS_ALLOWED_ACE) - sizeof(ULONG) + RtlLengthSid(&Entry.Who);
        if (!Acl)
            continue;
        PACCESS_ALLOWED_ACE Ace = (PVOID)((PUCHAR)Acl + Acl->AclSize);
        Ace->Header.AceType = Entry.Type;
        Ace->Header.AceFlags = Entry.Flags;
        Ace->Header.AceSize = (USHORT)(sizeof(*Ace) - sizeof(ULONG) + RtlLengthSid(&Entry.Who));
        Ace->Mask = Entry.Rights;
        RtlCopyMemory(&Ace->SidStart, &Entry.Who, RtlLengthSid(&Entry.Who));
        Acl->AclSize += Ace->Header.AceSize;
        Acl->AceCount++;
    }
    return Reader.At == Reader.End ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

NTSTATUS SddlAclFromText(PCUNICODE_STRING Text, PACL *Acl, PSECURITY_DESCRIPTOR_CONTROL Control)
{
    SDDL_READER Reader = {Text->Buffer, Text->Buffer + Text->Length / sizeof(WCHAR)};
    ULONG Bytes;

    *Control = 0;
    if (!Skip(&Reader, L'D') || !Skip(&Reader, L':'))
        return STATUS_INVALID_PARAMETER;
    for (;;) { /* AI, AR and P; only the last says something about a device */
        if (SkipWord(&Reader, L"AI") || SkipWord(&Reader, L"AR"))
            continue;
        if (!Skip(&Reader, L'P'))
            break;
        *Control |= SE_DACL_PROTECTED;
    }
    NTSTATUS Status = ReadEntries(Reader, NULL, &Bytes);
    if (!NT_SUCCESS(Status) || Bytes > MAXUSHORT)
        return STATUS_INVALID_PARAMETER;
    PACL Made = ExAllocatePoolWithTag(NonPagedPoolNx, Bytes, SDDL_TAG);
    if (!Made)
        return STATUS_INSUFFICIENT_RESOURCES;
    RtlZeroMemory(Made, Bytes);
    Made->AclRevision = ACL_REVISION;
    Made->AclSize = sizeof(ACL);
    ReadEntries(Reader, Made, &Bytes);
    *Acl = Made;
    return STATUS_SUCCESS;
}
