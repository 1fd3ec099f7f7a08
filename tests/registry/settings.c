/* What tests/registry/settings.reg (or a hive made of it) has is there; the driver adds a value of its own. */
#include "../cm/key.h"

static VOID what_was_given_is_there(VOID)
{
    HANDLE Key, Deep;
    ULONG Number = 0, Length;
    struct {
        KEY_VALUE_PARTIAL_INFORMATION Fixed;
        UCHAR Room[64];
    } Value;
    UNICODE_STRING Text = RTL_CONSTANT_STRING(L"Text"), Bytes = RTL_CONSTANT_STRING(L"Bytes"),
                   Many = RTL_CONSTANT_STRING(L"Many"), Default = RTL_CONSTANT_STRING(L""),
                   Wide = RTL_CONSTANT_STRING(L"Wide");
    OK(KeyOpen(NULL, L"\\Registry\\Machine\\SOFTWARE\\Settings", 0, &Key));
    OK(KeyNumber(Key, L"Number", &Number));
    CHECK(Number == 42);
    OK(ZwQueryValueKey(Key, &Text, KeyValuePartialInformation, &Value, sizeof(Value), &Length));
    CHECK(Value.Fixed.Type == REG_SZ && !memcmp(Value.Fixed.Data, L"a \"quoted\" \\ text", Value.Fixed.DataLength));
    OK(ZwQueryValueKey(Key, &Bytes, KeyValuePartialInformation, &Value, sizeof(Value), &Length));
    CHECK(Value.Fixed.DataLength == 5 && Value.Fixed.Data[4] == 5);
    OK(ZwQueryValueKey(Key, &Many, KeyValuePartialInformation, &Value, sizeof(Value), &Length));
    CHECK(Value.Fixed.Type == REG_MULTI_SZ && Value.Fixed.DataLength == 10);
    OK(ZwQueryValueKey(Key, &Default, KeyValuePartialInformation, &Value, sizeof(Value), &Length));
    CHECK(Value.Fixed.DataLength == 16);
    OK(KeyOpen(Key, L"Deep\\Deeper", 0, &Deep));
    OK(ZwQueryValueKey(Deep, &Wide, KeyValuePartialInformation, &Value, sizeof(Value), &Length));
    CHECK(Value.Fixed.Type == REG_QWORD && Value.Fixed.DataLength == 8 && Value.Fixed.Data[7] == 0x80);
    OK(ZwClose(Deep));
    Number = 7;
    OK(KeySet(Key, L"Written", REG_DWORD, &Number, 4));
    OK(ZwClose(Key));
}

TEST_MAIN(what_was_given_is_there)
