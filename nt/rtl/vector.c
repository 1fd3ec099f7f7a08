/*
 * Correlation vectors: BASE.N.N...N, a name for a step of work that goes through several programs.
 *
 * The base is the GUID's bytes in base64: 22 characters, in version 1 the first 16 of them. A text of at most 127
 * characters (63 in version 1) is valid; an operation that would make it longer leaves it as it is.
 * (docs: RtlInitializeCorrelationVector, RtlIncrementCorrelationVector, RtlExtendCorrelationVector,
 * RtlValidateCorrelationVector; Microsoft's Correlation Vector specification for the format)
 */
#include "nt.h"

#define RTLP_VECTOR_BASE(Vector) ((Vector)->Version == RTL_CORRELATION_VECTOR_VERSION_1 ? 16u : 22u)
#define RTLP_VECTOR_LENGTH(Vector) ((Vector)->Version == RTL_CORRELATION_VECTOR_VERSION_1 ? 63u : 127u)

static const CHAR RtlpBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static LONG RtlpBase64Value(CHAR Character)
{
    for (LONG i = 0; i < 64; i++)
        if (RtlpBase64[i] == Character)
            return i;
    return -1;
}

ULONG NTAPI RtlInitializeCorrelationVector(PCORRELATION_VECTOR Vector, int Version, const GUID *Guid)
{
    const UCHAR *Byte = (const UCHAR *)Guid;
    ULONG Base, Bits = 0, Held = 0, At = 0;
    if (!Guid || (Version != RTL_CORRELATION_VECTOR_VERSION_1 && Version != RTL_CORRELATION_VECTOR_VERSION_2))
        return STATUS_INVALID_PARAMETER;
    RtlZeroMemory(Vector, sizeof(*Vector));
    Vector->Version = (CHAR)Version;
    Base = RTLP_VECTOR_BASE(Vector);
    for (ULONG i = 0; At < Base; At++) {
        if (Held < 6) {
            Bits = Bits << 8 | (i < sizeof(GUID) ? Byte[i++] : 0);
            Held += 8;
        }
        Held -= 6;
        Vector->Vector[At] = RtlpBase64[Bits >> Held & 63];
    }
    Vector->Vector[At++] = '.';
    Vector->Vector[At] = '0';
    return STATUS_SUCCESS;
}

/* The length of a valid vector, 0 of another. *Last: where its last number begins, *Value: that number. */
static ULONG RtlpParseVector(PCORRELATION_VECTOR Vector, PULONG Last, PUINT64 Value)
{
    PCSTR Text = Vector->Vector;
    ULONG At, Base, Most;
    if (Vector->Version != RTL_CORRELATION_VECTOR_VERSION_1 && Vector->Version != RTL_CORRELATION_VECTOR_VERSION_2)
        return 0;
    Base = RTLP_VECTOR_BASE(Vector);
    Most = RTLP_VECTOR_LENGTH(Vector);
    for (At = 0; At < Base; At++)
        if (RtlpBase64Value(Text[At]) < 0)
            return 0;
    if (Base == 22 && RtlpBase64Value(Text[Base - 1]) & 15) /* more than 16 bytes */
        return 0;
    do {
        if (Text[At++] != '.')
            return 0;
        *Last = At;
        for (*Value = 0; At <= Most && Text[At] >= '0' && Text[At] <= '9'; At++) {
            *Value = *Value * 10 + (ULONG)(Text[At] - '0');
            if (*Value > MAXULONG)
                return 0;
        }
        if (At == *Last)
            return 0;
    } while (At <= Most && Text[At]);
    return At <= Most ? At : 0;
}

ULONG NTAPI RtlValidateCorrelationVector(PCORRELATION_VECTOR Vector)
{
    ULONG Last;
    UINT64 Value;
    return RtlpParseVector(Vector, &Last, &Value) ? STATUS_SUCCESS : STATUS_INVALID_PARAMETER;
}

ULONG NTAPI RtlIncrementCorrelationVector(PCORRELATION_VECTOR Vector)
{
    ULONG Last, Digits = 0;
    UINT64 Value;
    CHAR Text[12];
    if (!RtlpParseVector(Vector, &Last, &Value))
        return STATUS_INVALID_PARAMETER;
    if (++Value > MAXULONG)
        return STATUS_BUFFER_OVERFLOW;
    for (UINT64 Left = Value; Left; Left /= 10)
        Text[Digits++] = (CHAR)('0' + Left % 10);
    if (Last + Digits > RTLP_VECTOR_LENGTH(Vector))
        return STATUS_BUFFER_OVERFLOW;
    for (ULONG i = 0; i < Digits; i++)
        Vector->Vector[Last + i] = Text[Digits - 1 - i];
    Vector->Vector[Last + Digits] = 0;
    return STATUS_SUCCESS;
}

ULONG NTAPI RtlExtendCorrelationVector(PCORRELATION_VECTOR Vector)
{
    ULONG Last, Length;
    UINT64 Value;
    Length = RtlpParseVector(Vector, &Last, &Value);
    if (!Length || Length + 2 > RTLP_VECTOR_LENGTH(Vector))
        return STATUS_INVALID_PARAMETER;
    Vector->Vector[Length] = '.';
    Vector->Vector[Length + 1] = '0';
    Vector->Vector[Length + 2] = 0;
    return STATUS_SUCCESS;
}
