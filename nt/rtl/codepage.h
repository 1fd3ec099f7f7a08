/*
 * Encodings: code page 1252 (ANSI and OEM of this machine) and UTF-8, one character at a time.
 */
#pragma once

extern const WCHAR RtlpCodePageHigh[32]; /* 0x80 to 0x9F; the rest of the page is Latin-1 */

static inline WCHAR RtlpAnsiToWide(UCHAR Byte)
{
    return Byte >= 0x80 && Byte < 0xa0 ? RtlpCodePageHigh[Byte - 0x80] : Byte;
}

/* '?' when the page has no such character. */
UCHAR RtlpWideToAnsi(WCHAR Unit);

/* Code point to 1..4 bytes; a surrogate or a value beyond U+10FFFF becomes U+FFFD. */
ULONG RtlpEncodeUtf8(UCHAR Bytes[4], ULONG Code);

/* Read one code point of [*Next, End), Next < End, and step over it. Damaged bytes give U+FFFD, one for each longest
 * beginning of a sequence, as the Unicode standard recommends. */
ULONG RtlpDecodeUtf8(const UCHAR **Next, const UCHAR *End);

/* Read one code point of UTF-16, Next < End. A lone surrogate gives U+FFFD. */
ULONG RtlpDecodeUtf16(const WCHAR **Next, const WCHAR *End);
