/*
 * Calendar time: 100 ns units since 1601 to dates and back, and the two second counts.
 *
 * The Gregorian calendar repeats every 400 years, and 1601 begins such a period, so days are split into 400, 100, 4 and
 * 1 years. No time zone: these routines do not know one (docs: RtlTimeToTimeFields).
 */
#include "nt.h"

#define TICKS_PER_SECOND 10000000ll
#define SECONDS_PER_DAY 86400ll
#define SECONDS_1601_TO_1970 11644473600ll
#define SECONDS_1601_TO_1980 11960006400ll

static const USHORT RtlpDaysBefore[2][13] = {{0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365},
                                             {0, 31, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335, 366}};

static BOOLEAN RtlpIsLeap(LONG Year)
{
    return Year % 4 == 0 && (Year % 100 != 0 || Year % 400 == 0);
}

/* Days from 1 January 1601 to 1 January of Year. */
static INT64 RtlpDaysToYear(LONG Year)
{
    INT64 Years = Year - 1601;

    return Years * 365 + Years / 4 - Years / 100 + Years / 400;
}

VOID NTAPI RtlTimeToTimeFields(PLARGE_INTEGER Time, PTIME_FIELDS TimeFields)
{
    UINT64 Seconds = (UINT64)Time->QuadPart / TICKS_PER_SECOND;
    UINT64 Days = Seconds / SECONDS_PER_DAY, InDay = Seconds % SECONDS_PER_DAY, InYear;
    LONG Year = 1601 + (LONG)(Days * 400 / 146097), Month = 0;

    while (RtlpDaysToYear(Year) > (INT64)Days) /* the estimate may be one too high */
        Year--;
    while (RtlpDaysToYear(Year + 1) <= (INT64)Days)
        Year++;
    InYear = Days - (UINT64)RtlpDaysToYear(Year);
    while (RtlpDaysBefore[RtlpIsLeap(Year)][Month + 1] <= InYear)
        Month++;
    TimeFields->Year = (CSHORT)Year;
    TimeFields->Month = (CSHORT)(Month + 1);
    TimeFields->Day = (CSHORT)(InYear - RtlpDaysBefore[RtlpIsLeap(Year)][Month] + 1);
    TimeFields->Hour = (CSHORT)(InDay / 3600);
    TimeFields->Minute = (CSHORT)(InDay / 60 % 60);
    TimeFields->Second = (CSHORT)(InDay % 60);
    TimeFields->Milliseconds = (CSHORT)((UINT64)Time->QuadPart / 10000 % 1000);
    TimeFields->Weekday = (CSHORT)((Days + 1) % 7); /* 1 January 1601 was a Monday */
}

/* docs: RtlTimeFieldsToTime; FALSE for a date that does not exist. The day of the week is not looked at. */
BOOLEAN NTAPI RtlTimeFieldsToTime(PTIME_FIELDS TimeFields, PLARGE_INTEGER Time)
{
    const TIME_FIELDS *F = TimeFields;
    const USHORT *Before;
    INT64 Days;

    if (F->Year < 1601 || F->Month < 1 || F->Month > 12 || F->Day < 1 || F->Hour < 0 || F->Hour > 23 || F->Minute < 0 ||
        F->Minute > 59 || F->Second < 0 || F->Second > 59 || F->Milliseconds < 0 || F->Milliseconds > 999)
        return FALSE;
    Before = RtlpDaysBefore[RtlpIsLeap(F->Year)];
    if (F->Day > Before[F->Month] - Before[F->Month - 1])
        return FALSE;
    Days = RtlpDaysToYear(F->Year) + Before[F->Month - 1] + F->Day - 1;
    Time->QuadPart = (Days * SECONDS_PER_DAY + F->Hour * 3600 + F->Minute * 60 + F->Second) * TICKS_PER_SECOND +
                     F->Milliseconds * 10000;
    return TRUE;
}

/* docs: RtlTimeToSecondsSince1970; FALSE when the time does not fit. */
static BOOLEAN RtlpToSeconds(const LARGE_INTEGER *Time, INT64 Start, PULONG ElapsedSeconds)
{
    INT64 Seconds = (INT64)((UINT64)Time->QuadPart / TICKS_PER_SECOND) - Start;

    if (Seconds < 0 || Seconds > MAXULONG)
        return FALSE;
    *ElapsedSeconds = (ULONG)Seconds;
    return TRUE;
}

BOOLEAN NTAPI RtlTimeToSecondsSince1970(PLARGE_INTEGER Time, PULONG ElapsedSeconds)
{
    return RtlpToSeconds(Time, SECONDS_1601_TO_1970, ElapsedSeconds);
}

BOOLEAN NTAPI RtlTimeToSecondsSince1980(PLARGE_INTEGER Time, PULONG ElapsedSeconds)
{
    return RtlpToSeconds(Time, SECONDS_1601_TO_1980, ElapsedSeconds);
}

VOID NTAPI RtlSecondsSince1970ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time)
{
    Time->QuadPart = (ElapsedSeconds + SECONDS_1601_TO_1970) * TICKS_PER_SECOND;
}

VOID NTAPI RtlSecondsSince1980ToTime(ULONG ElapsedSeconds, PLARGE_INTEGER Time)
{
    Time->QuadPart = (ElapsedSeconds + SECONDS_1601_TO_1980) * TICKS_PER_SECOND;
}
