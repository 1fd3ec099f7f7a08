/*
 * Internet and Ethernet addresses as text (docs: RtlIpv4AddressToStringEx, RtlIpv4StringToAddressEx,
 * RtlIpv6AddressToStringEx, RtlIpv6StringToAddressEx, RtlEthernetAddressToString, RtlEthernetStringToAddress; RFC 5952
 * for the shape of IPv6 text).
 *
 * Each is one routine over characters; the narrow and wide forms copy in or out.
 */
#include "nt.h"
#include "rtl/ascii.h"

#define RTLP_ADDRESS_TEXT 66 /* INET6_ADDRSTRLEN and a terminator: [8 groups%scope]:port */

/* ---- Reading -------------------------------------------------------------------------------------------------------
 */

typedef struct _RTLP_TEXT {
    const VOID *Start;
    BOOLEAN Wide;
    ULONG At;
} RTLP_TEXT, *PRTLP_TEXT;

static ULONG RtlpPeek(PRTLP_TEXT Text)
{
    return Text->Wide ? ((const WCHAR *)Text->Start)[Text->At] : ((const UCHAR *)Text->Start)[Text->At];
}

static const VOID *RtlpHere(PRTLP_TEXT Text)
{
    return (const UCHAR *)Text->Start + Text->At * (Text->Wide ? sizeof(WCHAR) : 1);
}

static ULONG RtlpDigitOf(ULONG Unit)
{
    return Unit < 128 ? RtlpDigit((int)Unit) : 99;
}

/* A number of Base; FALSE when there is no digit or it is above Most. */
static BOOLEAN RtlpNumber(PRTLP_TEXT Text, ULONG Base, ULONG64 Most, PULONG64 Value)
{
    ULONG First = Text->At;
    for (*Value = 0; RtlpDigitOf(RtlpPeek(Text)) < Base; Text->At++) {
        *Value = *Value * Base + RtlpDigitOf(RtlpPeek(Text));
        if (*Value > Most)
            return FALSE;
    }
    return Text->At != First;
}

/* Decimal, or octal and hexadecimal by their prefixes. */
static BOOLEAN RtlpCNumber(PRTLP_TEXT Text, BOOLEAN Strict, ULONG64 Most, PULONG64 Value)
{
    if (Strict || RtlpPeek(Text) != '0')
        return RtlpNumber(Text, 10, Most, Value);
    Text->At++;
    if (RtlpPeek(Text) == 'x' || RtlpPeek(Text) == 'X') {
        Text->At++;
        return RtlpNumber(Text, 16, Most, Value);
    }
    *Value = 0;
    return RtlpDigitOf(RtlpPeek(Text)) >= 8 || RtlpNumber(Text, 8, Most, Value);
}

/* docs: RtlIpv4StringToAddress: strict is four decimal parts; else one to four parts, the last one fills the rest. */
static NTSTATUS RtlpReadIpv4(PRTLP_TEXT Text, BOOLEAN Strict, PUCHAR Address)
{
    ULONG64 Part[4];
    ULONG Parts = 0;
    for (;;) {
        if (!RtlpCNumber(Text, Strict, MAXULONG, &Part[Parts]))
            return STATUS_INVALID_PARAMETER;
        if (++Parts == 4 || RtlpPeek(Text) != '.')
            break;
        Text->At++;
    }
    if (Strict && Parts != 4)
        return STATUS_INVALID_PARAMETER;
    ULONG Value = 0;
    for (ULONG i = 0; i + 1 < Parts; i++) {
        if (Part[i] > 255)
            return STATUS_INVALID_PARAMETER;
        Value |= (ULONG)Part[i] << (24 - 8 * i);
    }
    if (Part[Parts - 1] > MAXULONG >> 8 * (Parts - 1))
        return STATUS_INVALID_PARAMETER;
    Value |= (ULONG)Part[Parts - 1];
    for (ULONG i = 0; i < 4; i++)
        Address[i] = (UCHAR)(Value >> (24 - 8 * i));
    return STATUS_SUCCESS;
}

/* Groups of hexadecimal digits, "::" once, the last two groups perhaps as an IPv4 address. */
static NTSTATUS RtlpReadIpv6(PRTLP_TEXT Text, PUCHAR Address)
{
    USHORT Group[8] = {0};
    ULONG Groups = 0, Gap = 8;
    BOOLEAN NeedGroup = FALSE;
    if (RtlpPeek(Text) == ':') {
        if (Text->At++, RtlpPeek(Text) != ':')
            return STATUS_INVALID_PARAMETER;
        Text->At++;
        Gap = 0;
    }
    while (Groups < 8) {
        ULONG Start = Text->At;
        ULONG64 Value;
        if (RtlpDigitOf(RtlpPeek(Text)) >= 16)
            break;
        if (!RtlpNumber(Text, 16, 0xffff, &Value) || Text->At - Start > 4) {
            if (RtlpPeek(Text) != '.')
                return STATUS_INVALID_PARAMETER;
        }
        if (RtlpPeek(Text) == '.') {
            UCHAR Four[4];
            Text->At = Start;
            if (Groups > 6 || (Gap == 8 && Groups != 6) || !NT_SUCCESS(RtlpReadIpv4(Text, TRUE, Four)))
                return STATUS_INVALID_PARAMETER;
            Group[Groups++] = (USHORT)(Four[0] << 8 | Four[1]);
            Group[Groups++] = (USHORT)(Four[2] << 8 | Four[3]);
            NeedGroup = FALSE;
            break;
        }
        Group[Groups++] = (USHORT)Value;
        NeedGroup = FALSE;
        if (RtlpPeek(Text) != ':' || Groups == 8)
            break;
        Text->At++;
        NeedGroup = TRUE;
        if (RtlpPeek(Text) == ':') {
            if (Gap != 8)
                return STATUS_INVALID_PARAMETER;
            Text->At++;
            Gap = Groups;
            NeedGroup = FALSE;
        }
    }
    if (NeedGroup || (Gap == 8 ? Groups != 8 : Groups > 7))
        return STATUS_INVALID_PARAMETER;
    RtlZeroMemory(Address, 16);
    for (ULONG i = 0; i < Groups; i++) {
        ULONG To = i < Gap ? i : 8 - (Groups - i);
        Address[2 * To] = (UCHAR)(Group[i] >> 8);
        Address[2 * To + 1] = (UCHAR)Group[i];
    }
    return STATUS_SUCCESS;
}

static USHORT RtlpNetworkOrder(ULONG64 Port)
{
    return (USHORT)(Port << 8 | Port >> 8);
}

static NTSTATUS RtlpReadPort(PRTLP_TEXT Text, PUSHORT Port)
{
    ULONG64 Value;
    if (!RtlpCNumber(Text, FALSE, 0xffff, &Value))
        return STATUS_INVALID_PARAMETER;
    *Port = RtlpNetworkOrder(Value);
    return STATUS_SUCCESS;
}

static NTSTATUS RtlpReadIpv4Ex(const VOID *String, BOOLEAN Wide, BOOLEAN Strict, PUCHAR Address, PUSHORT Port)
{
    RTLP_TEXT Text = {String, Wide, 0};
    USHORT Found = 0;
    UCHAR Four[4];
    if (!String || !Address || !Port)
        return STATUS_INVALID_PARAMETER;
    NTSTATUS Status = RtlpReadIpv4(&Text, Strict, Four);
    if (NT_SUCCESS(Status) && RtlpPeek(&Text) == ':') {
        Text.At++;
        Status = RtlpReadPort(&Text, &Found);
    }
    if (!NT_SUCCESS(Status) || RtlpPeek(&Text))
        return STATUS_INVALID_PARAMETER;
    RtlCopyMemory(Address, Four, sizeof(Four));
    *Port = Found;
    return STATUS_SUCCESS;
}

static NTSTATUS RtlpReadIpv6Ex(const VOID *String, BOOLEAN Wide, PUCHAR Address, PULONG Scope, PUSHORT Port)
{
    RTLP_TEXT Text = {String, Wide, 0};
    ULONG64 FoundScope = 0;
    USHORT FoundPort = 0;
    UCHAR Bytes[16];
    if (!String || !Address || !Scope || !Port)
        return STATUS_INVALID_PARAMETER;
    BOOLEAN Bracket = RtlpPeek(&Text) == '[';
    Text.At += Bracket;
    NTSTATUS Status = RtlpReadIpv6(&Text, Bytes);
    if (NT_SUCCESS(Status) && RtlpPeek(&Text) == '%') {
        Text.At++;
        Status = RtlpNumber(&Text, 10, MAXULONG, &FoundScope) ? Status : STATUS_INVALID_PARAMETER;
    }
    if (NT_SUCCESS(Status) && Bracket) {
        if (RtlpPeek(&Text) != ']')
            return STATUS_INVALID_PARAMETER;
        Text.At++;
        if (RtlpPeek(&Text) == ':') {
            Text.At++;
            Status = RtlpReadPort(&Text, &FoundPort);
        }
    }
    if (!NT_SUCCESS(Status) || RtlpPeek(&Text))
        return STATUS_INVALID_PARAMETER;
    RtlCopyMemory(Address, Bytes, sizeof(Bytes));
    *Scope = (ULONG)FoundScope;
    *Port = FoundPort;
    return STATUS_SUCCESS;
}

/* Six pairs of digits, all with '-' or all with ':' between them. */
static NTSTATUS RtlpReadEthernet(PRTLP_TEXT Text, PUCHAR Address)
{
    ULONG Between = 0;
    for (ULONG i = 0; i < 6; i++) {
        ULONG High = RtlpDigitOf(RtlpPeek(Text));
        if (High >= 16)
            return STATUS_INVALID_PARAMETER;
        Text->At++;
        ULONG Low = RtlpDigitOf(RtlpPeek(Text));
        if (Low >= 16)
            return STATUS_INVALID_PARAMETER;
        Text->At++;
        Address[i] = (UCHAR)(High << 4 | Low);
        if (i == 5)
            break;
        ULONG Unit = RtlpPeek(Text);
        if ((Unit != '-' && Unit != ':') || (Between && Unit != Between))
            return STATUS_INVALID_PARAMETER;
        Between = Unit;
        Text->At++;
    }
    return STATUS_SUCCESS;
}

/* ---- Writing -------------------------------------------------------------------------------------------------------
 */

static ULONG RtlpWriteIpv4(PCHAR Text, ULONG Room, const UCHAR *Address)
{
    return RtlpFormat(Text, Room, "%u.%u.%u.%u", Address[0], Address[1], Address[2], Address[3]);
}

/* The longest run of zero groups, two at least, becomes "::". An address that holds an IPv4 one ends in its text. */
static ULONG RtlpWriteIpv6(PCHAR Text, ULONG Room, const UCHAR *Address)
{
    USHORT Group[8];
    ULONG Gap = 8, GapLength = 1, Groups = 8, Length = 0;
    for (ULONG i = 0; i < 8; i++)
        Group[i] = (USHORT)(Address[2 * i] << 8 | Address[2 * i + 1]);
    BOOLEAN Zeros = !Group[0] && !Group[1] && !Group[2] && !Group[3];
    BOOLEAN Ipv4 = Zeros && ((!Group[4] && (Group[5] == 0 || Group[5] == 0xffff) && Group[6]) ||
                             (Group[4] == 0xffff && !Group[5]));
    BOOLEAN Isatap = (Group[4] & 0xfdff) == 0 && Group[5] == 0x5efe;
    if (Ipv4 || Isatap)
        Groups = 6;
    for (ULONG i = 0; i < Groups; i++) {
        ULONG Run = 0;
        while (i + Run < Groups && !Group[i + Run])
            Run++;
        if (Run > GapLength) {
            Gap = i;
            GapLength = Run;
        }
        i += Run;
    }
    for (ULONG i = 0; i < Groups; i++) {
        if (i == Gap) {
            Length += RtlpFormat(Text + Length, Room - Length, "::");
            i += GapLength - 1;
        } else
            Length += RtlpFormat(Text + Length, Room - Length, "%s%x", i && i != Gap + GapLength ? ":" : "", Group[i]);
    }
    if (Groups == 6) {
        if (Text[Length - 1] != ':')
            Length += RtlpFormat(Text + Length, Room - Length, ":");
        Length += RtlpWriteIpv4(Text + Length, Room - Length, Address + 12);
    }
    return Length;
}

static ULONG RtlpWriteIpv6Ex(PCHAR Text, ULONG Room, const UCHAR *Address, ULONG Scope, USHORT Port)
{
    ULONG Length = RtlpFormat(Text, Room, "%s", Port ? "[" : "");
    Length += RtlpWriteIpv6(Text + Length, Room - Length, Address);
    if (Scope)
        Length += RtlpFormat(Text + Length, Room - Length, "%%%u", Scope);
    if (Port)
        Length += RtlpFormat(Text + Length, Room - Length, "]:%u", RtlpNetworkOrder(Port));
    return Length;
}

/* Out, with its terminator; *Room: characters there, then the characters used (needed, if they are too few). */
static NTSTATUS RtlpHandOut(PCSTR Text, ULONG Length, PVOID To, BOOLEAN Wide, PULONG Room)
{
    ULONG Had = *Room;
    *Room = Length + 1;
    if (!To || Had < Length + 1)
        return STATUS_INVALID_PARAMETER;
    for (ULONG i = 0; i <= Length; i++)
        if (Wide)
            ((PWCHAR)To)[i] = (UCHAR)Text[i];
        else
            ((PCHAR)To)[i] = Text[i];
    return STATUS_SUCCESS;
}

/* ---- Exports -------------------------------------------------------------------------------------------------------
 */

#define RTLP_OUT(Length, Result)                                                                                       \
    do {                                                                                                               \
        ULONG Room = RTLP_ADDRESS_TEXT;                                                                                \
        RtlpHandOut(Text, Length, Result, sizeof(*(Result)) == sizeof(WCHAR), &Room);                                  \
        return (Result) + (Length);                                                                                    \
    } while (0)

#define RTLP_NARROW_AND_WIDE(Suffix, CHARACTER)                                                                        \
    CHARACTER *NTAPI RtlIpv4AddressToString##Suffix(const VOID *Address, CHARACTER *Result)                            \
    {                                                                                                                  \
        CHAR Text[RTLP_ADDRESS_TEXT];                                                                                  \
        ULONG Length = RtlpWriteIpv4(Text, sizeof(Text), Address);                                                     \
        RTLP_OUT(Length, Result);                                                                                      \
    }                                                                                                                  \
    CHARACTER *NTAPI RtlIpv6AddressToString##Suffix(const VOID *Address, CHARACTER *Result)                            \
    {                                                                                                                  \
        CHAR Text[RTLP_ADDRESS_TEXT];                                                                                  \
        ULONG Length = RtlpWriteIpv6(Text, sizeof(Text), Address);                                                     \
        RTLP_OUT(Length, Result);                                                                                      \
    }                                                                                                                  \
    CHARACTER *NTAPI RtlEthernetAddressToString##Suffix(const UCHAR *Address, CHARACTER *Result)                       \
    {                                                                                                                  \
        CHAR Text[RTLP_ADDRESS_TEXT];                                                                                  \
        ULONG Length = RtlpFormat(Text, sizeof(Text), "%02X-%02X-%02X-%02X-%02X-%02X", Address[0], Address[1],         \
                                  Address[2], Address[3], Address[4], Address[5]);                                     \
        RTLP_OUT(Length, Result);                                                                                      \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlIpv4AddressToStringEx##Suffix(const UCHAR *Address, USHORT Port, CHARACTER *Result, PULONG Room) \
    {                                                                                                                  \
        CHAR Text[RTLP_ADDRESS_TEXT];                                                                                  \
        if (!Address || !Room || !Result)                                                                              \
            return STATUS_INVALID_PARAMETER;                                                                           \
        ULONG Length = RtlpWriteIpv4(Text, sizeof(Text), Address);                                                     \
        if (Port)                                                                                                      \
            Length += RtlpFormat(Text + Length, sizeof(Text) - Length, ":%u", RtlpNetworkOrder(Port));                 \
        return RtlpHandOut(Text, Length, Result, sizeof(CHARACTER) == sizeof(WCHAR), Room);                            \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlIpv6AddressToStringEx##Suffix(const UCHAR *Address, ULONG Scope, USHORT Port, CHARACTER *Result, \
                                                    PULONG Room)                                                       \
    {                                                                                                                  \
        CHAR Text[RTLP_ADDRESS_TEXT];                                                                                  \
        if (!Address || !Room || !Result)                                                                              \
            return STATUS_INVALID_PARAMETER;                                                                           \
        ULONG Length = RtlpWriteIpv6Ex(Text, sizeof(Text), Address, Scope, Port);                                      \
        return RtlpHandOut(Text, Length, Result, sizeof(CHARACTER) == sizeof(WCHAR), Room);                            \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlIpv4StringToAddress##Suffix(const CHARACTER *String, BOOLEAN Strict, const VOID **End,           \
                                                  PUCHAR Address)                                                      \
    {                                                                                                                  \
        RTLP_TEXT Text = {String, sizeof(CHARACTER) == sizeof(WCHAR), 0};                                              \
        NTSTATUS Status = RtlpReadIpv4(&Text, Strict, Address);                                                        \
        *End = RtlpHere(&Text);                                                                                        \
        return Status;                                                                                                 \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlIpv6StringToAddress##Suffix(const CHARACTER *String, const VOID **End, PUCHAR Address)           \
    {                                                                                                                  \
        RTLP_TEXT Text = {String, sizeof(CHARACTER) == sizeof(WCHAR), 0};                                              \
        NTSTATUS Status = RtlpReadIpv6(&Text, Address);                                                                \
        *End = RtlpHere(&Text);                                                                                        \
        return Status;                                                                                                 \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlEthernetStringToAddress##Suffix(const CHARACTER *String, const VOID **End, PUCHAR Address)       \
    {                                                                                                                  \
        RTLP_TEXT Text = {String, sizeof(CHARACTER) == sizeof(WCHAR), 0};                                              \
        NTSTATUS Status = RtlpReadEthernet(&Text, Address);                                                            \
        *End = RtlpHere(&Text);                                                                                        \
        return Status;                                                                                                 \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlIpv4StringToAddressEx##Suffix(const CHARACTER *String, BOOLEAN Strict, PUCHAR Address,           \
                                                    PUSHORT Port)                                                      \
    {                                                                                                                  \
        return RtlpReadIpv4Ex(String, sizeof(CHARACTER) == sizeof(WCHAR), Strict, Address, Port);                      \
    }                                                                                                                  \
    NTSTATUS NTAPI RtlIpv6StringToAddressEx##Suffix(const CHARACTER *String, PUCHAR Address, PULONG Scope,             \
                                                    PUSHORT Port)                                                      \
    {                                                                                                                  \
        return RtlpReadIpv6Ex(String, sizeof(CHARACTER) == sizeof(WCHAR), Address, Scope, Port);                       \
    }

RTLP_NARROW_AND_WIDE(A, CHAR)
RTLP_NARROW_AND_WIDE(W, WCHAR)
