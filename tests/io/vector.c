/*
 * Correlation vectors: made from a GUID, counted up, extended; what is not one. (docs: RtlInitializeCorrelationVector)
 */
#include "test.h"

static const GUID Guid = {0x00112233, 0x4455, 0x6677, {0x88, 0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff}};
static CORRELATION_VECTOR Vector;

static BOOLEAN Is(PCSTR Text)
{
    return !strcmp(Vector.Vector, Text);
}

static VOID Make(PCSTR Text)
{
    Vector.Version = RTL_CORRELATION_VECTOR_VERSION_2;
    strcpy(Vector.Vector, Text);
}

#define BASE "MyIRAFVEd2aImaq7zN3u/w"

static VOID a_vector_begins_with_the_guid(VOID)
{
    OK(RtlInitializeCorrelationVector(&Vector, RTL_CORRELATION_VECTOR_VERSION_CURRENT, &Guid));
    CHECK(Is(BASE ".0") && Vector.Version == 2);
    OK(RtlValidateCorrelationVector(&Vector));
    OK(RtlInitializeCorrelationVector(&Vector, RTL_CORRELATION_VECTOR_VERSION_1, &Guid));
    CHECK(Is("MyIRAFVEd2aImaq7.0") && Vector.Version == 1);
    OK(RtlValidateCorrelationVector(&Vector));
    STATUS(RtlInitializeCorrelationVector(&Vector, 2, NULL), STATUS_INVALID_PARAMETER);
    STATUS(RtlInitializeCorrelationVector(&Vector, 3, &Guid), STATUS_INVALID_PARAMETER);
}

static VOID its_last_number_is_counted_up(VOID)
{
    Make(BASE ".1.9");
    OK(RtlIncrementCorrelationVector(&Vector));
    CHECK(Is(BASE ".1.10"));
    OK(RtlExtendCorrelationVector(&Vector));
    CHECK(Is(BASE ".1.10.0"));
    OK(RtlIncrementCorrelationVector(&Vector));
    CHECK(Is(BASE ".1.10.1"));
    Make(BASE ".4294967294");
    OK(RtlIncrementCorrelationVector(&Vector));
    STATUS(RtlIncrementCorrelationVector(&Vector), STATUS_BUFFER_OVERFLOW);
    CHECK(Is(BASE ".4294967295"));
}

static VOID it_does_not_outgrow_its_room(VOID)
{
    ULONG Extended = 0;

    OK(RtlInitializeCorrelationVector(&Vector, 2, &Guid));
    while (RtlExtendCorrelationVector(&Vector) == STATUS_SUCCESS)
        Extended++;
    CHECK(Extended == 51 && strlen(Vector.Vector) == 126);
    for (ULONG i = 0; i < 10; i++)
        OK(RtlIncrementCorrelationVector(&Vector));
    CHECK(strlen(Vector.Vector) == 127);
    for (ULONG i = 10; i < 99; i++)
        OK(RtlIncrementCorrelationVector(&Vector));
    STATUS(RtlIncrementCorrelationVector(&Vector), STATUS_BUFFER_OVERFLOW);
    STATUS(RtlExtendCorrelationVector(&Vector), STATUS_INVALID_PARAMETER);
    OK(RtlValidateCorrelationVector(&Vector));
}

static VOID what_is_no_vector_is_refused(VOID)
{
    static const PCSTR Bad[] = {
        "",         BASE,           BASE ".", BASE ".1.",         BASE ".1..2", BASE ".x",
        BASE ".1!", "M*" BASE ".1", "MyIR.0", BASE ".4294967296", BASE "A.1",   "MyIRAFVEd2aImaq7zN3u/x.0"};

    for (ULONG i = 0; i < RTL_NUMBER_OF(Bad); i++) {
        Make(Bad[i]);
        STATUS(RtlValidateCorrelationVector(&Vector), STATUS_INVALID_PARAMETER);
        STATUS(RtlIncrementCorrelationVector(&Vector), STATUS_INVALID_PARAMETER);
        CHECK(Is(Bad[i]));
    }
    Make(BASE ".0");
    Vector.Version = 3;
    STATUS(RtlValidateCorrelationVector(&Vector), STATUS_INVALID_PARAMETER);
}

TEST_MAIN(a_vector_begins_with_the_guid, its_last_number_is_counted_up, it_does_not_outgrow_its_room,
          what_is_no_vector_is_refused)
