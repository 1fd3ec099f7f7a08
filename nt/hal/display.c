/*
 * The boot display and the speaker.
 *
 * The boot video driver owns the display until a display driver says that it has taken it over; the routine it gives is called
 * at a bug check, to bring the display back to text. Its arguments are that text mode's columns and rows.
 * (InbvNotifyDisplayOwnershipLost is undocumented; declared as INBV_RESET_DISPLAY_PARAMETERS in ntifs' relatives)
 */
#include "nt.h"

static BOOLEAN InbvLost;
static HAL_RESET_DISPLAY InbvReset;

BOOLEAN NTAPI InbvCheckDisplayOwnership(VOID)
{
    return !InbvLost;
}

VOID NTAPI InbvNotifyDisplayOwnershipLost(HAL_RESET_DISPLAY ResetDisplayParameters)
{
    InbvReset = ResetDisplayParameters;
    InbvLost = TRUE;
}

VOID HalAcquireDisplay(VOID)
{
    if (InbvLost && InbvReset)
        InbvReset(80, 50);
    InbvLost = FALSE;
}

/* Channel 2 of the interval timer drives the speaker. FALSE: no such tone. Zero is silence. */
BOOLEAN NTAPI HalMakeBeep(ULONG Frequency)
{
    ULONG Divisor = Frequency ? 1193182 / Frequency : 0;

    __outbyte(0x61, (UCHAR)(__inbyte(0x61) & ~3));
    if (!Frequency)
        return TRUE;
    if (!Divisor || Divisor > 0xffff)
        return FALSE;
    __outbyte(0x43, 0xb6);
    __outbyte(0x42, (UCHAR)Divisor);
    __outbyte(0x42, (UCHAR)(Divisor >> 8));
    __outbyte(0x61, (UCHAR)(__inbyte(0x61) | 3));
    return TRUE;
}
