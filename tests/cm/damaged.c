/*
 * A damaged hive is refused, or taken where the damage is in what it says and not in how it is laid out; it never harms the
 * kernel. Thousands of files, each with a few bytes changed; then every way to cut one short.
 */
#include "hives.h"

#define DAMAGED L"\\Registry\\Machine\\Damaged"

static HANDLE Scratch;
static ULONG Whole, Taken, Refused, Wrong;
static UCHAR Good[0x20000];
static ULONG64 State = 1;

static ULONG Random(ULONG Below)
{
    State = State * 6364136223846793005ull + 1442695040888963407ull;
    return (ULONG)(State >> 33) % Below;
}

static VOID PutCheckSum(VOID)
{
    PULONG Word = (PULONG)Image, Sum = &Word[127];
    *Sum = 0;
    for (ULONG i = 0; i < 127; i++)
        *Sum ^= Word[i];
    *Sum += *Sum == 0 ? 1 : *Sum == MAXULONG ? MAXULONG : 0;
}

/* Image's bytes as a hive's file. */
static NTSTATUS Try(HANDLE File, ULONG Bytes)
{
    FILE_END_OF_FILE_INFORMATION End = {.EndOfFile.QuadPart = Bytes};
    IO_STATUS_BLOCK Iosb;
    LARGE_INTEGER Start = {0};
    NTSTATUS Status = ZwWriteFile(File, NULL, NULL, NULL, &Iosb, Image, Bytes, &Start, NULL);
    if (NT_SUCCESS(Status))
        Status = ZwSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation);
    return NT_SUCCESS(Status) ? ZwRestoreKey(Scratch, File, 0) : Status;
}

static VOID Count(NTSTATUS Status)
{
    Taken += Status == STATUS_SUCCESS;
    Refused += Status == STATUS_REGISTRY_CORRUPT || Status == STATUS_NOT_REGISTRY_FILE;
    Wrong += Status != STATUS_SUCCESS && Status != STATUS_REGISTRY_CORRUPT && Status != STATUS_NOT_REGISTRY_FILE;
}

static VOID damage_is_found(VOID)
{
    HANDLE Base, Sub, File;
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Whole", 0, NULL, &Base));
    for (WCHAR c = L'a'; c <= L'h'; c++) {
        WCHAR Text[] = {c, 0};
        OK(KeyCreate(Base, Text, 0, NULL, &Sub));
        for (WCHAR d = L'a'; d <= L'c'; d++) {
            WCHAR Name[] = {d, c, 0};
            OK(KeySet(Sub, Name, REG_BINARY, Good, d == L'a' ? 3 : c == d && d == L'b' ? 17000 : 20));
        }
        OK(ZwClose(Sub));
    }
    OK(FileOpen(L"whole.hiv", FILE_OVERWRITE_IF, &File));
    OK(ZwSaveKeyEx(Base, File, REG_LATEST_FORMAT));
    Whole = FileRead(File);
    OK(ZwClose(File));
    CHECK(Whole > 8192 && Whole < sizeof(Good));
    memcpy(Good, Image, Whole);
    OK(KeyCreate(NULL, L"\\Registry\\Machine\\SOFTWARE\\Scratch", 0, NULL, &Scratch));
    OK(FileOpen(L"damaged.hiv", FILE_OVERWRITE_IF, &File));
    OK(Try(File, Whole));
    for (ULONG i = 0; i < 6000; i++) {
        memcpy(Image, Good, Whole);
        for (ULONG n = 1 + Random(6); n; n--) {
            /* mostly where the structure is: the first bin, the base block's fields */
            ULONG At = Random(8) ? 4096 + Random(Random(4) ? 4096 : Whole - 4096) : Random(512);
            if (Random(2))
                Image[At] = (UCHAR)Random(256);
            else
                *(PULONG)(Image + (At & ~3u) % (Whole - 4)) = Random(4) ? Random(Whole) & ~7u : ~Random(4);
        }
        if (Random(16))
            PutCheckSum();
        Count(Try(File, Whole));
    }
    CHECK(Taken > 100 && Refused > 1000 && Wrong == 0);
    DbgPrint("%u damaged files taken, %u refused\n", Taken, Refused);
    Taken = 0;
    for (ULONG Bytes = 1; Bytes < Whole; Bytes += 509) {
        memcpy(Image, Good, Whole);
        Count(Try(File, Bytes));
    }
    CHECK(Taken == 0 && Wrong == 0);
    STATUS(Load(DAMAGED, L"damaged.hiv"), STATUS_SHARING_VIOLATION);
    OK(ZwClose(File));
    STATUS(Load(DAMAGED, L"damaged.hiv"), STATUS_REGISTRY_CORRUPT);
    STATUS(Unload(DAMAGED, 0), STATUS_OBJECT_NAME_NOT_FOUND);
    OK(ZwClose(Scratch));
    OK(ZwClose(Base));
}

TEST_MAIN(damage_is_found)
