/* What tests/client/bench.c asks of tests/bench/trip.c. */
#pragma once

#define TRIP_ECHO CTL_CODE(FILE_DEVICE_UNKNOWN, 0x800, METHOD_BUFFERED, FILE_ANY_ACCESS)
#define TRIP_AS_DRIVER CTL_CODE(FILE_DEVICE_UNKNOWN, 0x801, METHOD_NEITHER, FILE_ANY_ACCESS)
#define TRIP_AS_PROGRAM CTL_CODE(FILE_DEVICE_UNKNOWN, 0x802, METHOD_NEITHER, FILE_ANY_ACCESS)
#define TRIP_READS_AS_PROGRAM CTL_CODE(FILE_DEVICE_UNKNOWN, 0x803, METHOD_NEITHER, FILE_ANY_ACCESS)
#define TRIP_ROOM 48 /* of the output buffer */
#define TRIP_READ 0x100000
#define TRIP_ROOMS 48 /* of the output buffer of READS_AS_PROGRAM: so many times TRIP_READ, and a page before them */

typedef struct _TRIP {
    unsigned int Count;
    unsigned int File; /* AS_PROGRAM: the handle */
} TRIP;
