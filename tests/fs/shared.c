/*
 * A file that is mapped and cached, or mapped and read and written: everybody sees the same bytes at once. (docs: "Cache
 * Manager Routines", CcPurgeCacheSection, MmCanFileBeTruncated, MmFlushImageSection, ZwMapViewOfSection)
 */
#include "testfs.h"

#define SELF ((HANDLE)-1)
#define CACHED L"\\Device\\TestDisk\\f"
#define PLAIN L"\\??\\C:\\f"

static PUCHAR Map(HANDLE File, PHANDLE Section)
{
    PVOID Base = NULL;
    SIZE_T Bytes = 0;
    OK(ZwCreateSection(Section, SECTION_ALL_ACCESS, NULL, NULL, PAGE_READWRITE, SEC_COMMIT, File));
    OK(ZwMapViewOfSection(*Section, SELF, &Base, 0, 0, NULL, &Bytes, ViewUnmap, 0, PAGE_READWRITE));
    return Base;
}

static VOID Unmap(PUCHAR View, HANDLE Section)
{
    OK(ZwUnmapViewOfSection(SELF, View));
    OK(ZwClose(Section));
}

static VOID Put(HANDLE File, LONGLONG At, PCSTR Text)
{
    LARGE_INTEGER Offset = {.QuadPart = At};
    OK(ZwWriteFile(File, NULL, NULL, NULL, &Iosb, (PVOID)Text, (ULONG)strlen(Text), &Offset, NULL));
}

static BOOLEAN Holds(HANDLE File, LONGLONG At, PCSTR Text)
{
    CHAR Buffer[32];
    LARGE_INTEGER Offset = {.QuadPart = At};
    ULONG Bytes = (ULONG)strlen(Text);
    return NT_SUCCESS(ZwReadFile(File, NULL, NULL, NULL, &Iosb, Buffer, Bytes, &Offset, NULL)) &&
           Iosb.Information == Bytes && !memcmp(Buffer, Text, Bytes);
}

static VOID a_view_and_the_cache_are_one(VOID)
{
    HANDLE File, Section;
    PFILE_OBJECT Object;
    CHECK(StartFileSystem());
    OK(Open(CACHED, GENERIC_READ | GENERIC_WRITE, SHARED, FILE_CREATE, SYNC, &File));
    Put(File, 0, "first");
    Put(File, 0x2fff, "!");
    PUCHAR View = Map(File, &Section);
    CHECK(!memcmp(View, "first", 5)); /* nothing was flushed */
    Put(File, 0x1000, "later");
    CHECK(!memcmp(View + 0x1000, "later", 5));
    Put(File, 0x1000, "again");
    CHECK(!memcmp(View + 0x1000, "again", 5));
    memcpy(View + 0x2000, "by the view", 11);
    CHECK(Holds(File, 0x2000, "by the view"));
    CHECK(memcmp(DiskMemory + 0x2000 + 0x2000, "by the view", 11) != 0);
    OK(ZwFlushBuffersFile(File, &Iosb));
    CHECK(!memcmp(DiskMemory + 0x2000 + 0x2000, "by the view", 11));
    memcpy(View + 0x2000, "anew", 4); /* the flush must not have made it forget how to notice */
    OK(ZwFlushBuffersFile(File, &Iosb));
    CHECK(!memcmp(DiskMemory + 0x2000 + 0x2000, "anew", 4));
    OK(ObReferenceObjectByHandle(File, 0, *IoFileObjectType, KernelMode, (PVOID *)&Object, NULL));
    CHECK(!CcPurgeCacheSection(Object->SectionObjectPointer, NULL, 0, 0)); /* mapped */
    CHECK(!MmCanFileBeTruncated(Object->SectionObjectPointer, &(LARGE_INTEGER){.QuadPart = 0x1000}));
    Unmap(View, Section);
    CHECK(CcPurgeCacheSection(Object->SectionObjectPointer, NULL, 0, 0));
    CHECK(MmCanFileBeTruncated(Object->SectionObjectPointer, &(LARGE_INTEGER){.QuadPart = 0x1000}));
    ObDereferenceObject(Object);
    CHECK(Holds(File, 0, "first") && Holds(File, 0x2000, "anewhe view"));
    OK(ZwClose(File));
}

static VOID a_file_that_is_mapped_becomes_cached_and_ceases_to_be(VOID)
{
    HANDLE File, Cached, Section;
    Sleep(10); /* out of the cache */
    OK(Open(CACHED, GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC | FILE_NO_INTERMEDIATE_BUFFERING, &File));
    PUCHAR View = Map(File, &Section);
    memcpy(View, "mapped first", 12);
    OK(Open(CACHED, GENERIC_READ | GENERIC_WRITE, SHARED, FILE_OPEN, SYNC, &Cached));
    CHECK(Holds(Cached, 0, "mapped first"));
    Put(Cached, 0, "then cached ");
    CHECK(!memcmp(View, "then cached ", 12));
    memcpy(View + 0x1000, "both", 4);
    CHECK(Holds(Cached, 0x1000, "both"));
    OK(ZwClose(Cached));
    Sleep(10); /* the cache has gone, the view has not */
    CHECK(!memcmp(View, "then cached ", 12) && !memcmp(View + 0x1000, "both", 4));
    CHECK(!memcmp(DiskMemory + 0x2000, "then cached ", 12));
    memcpy(View + 0x1000, "only", 4);
    Unmap(View, Section);
    OK(ZwClose(File));
    CHECK(!memcmp(DiskMemory + 0x2000 + 0x1000, "only", 4));
    Sleep(10);
    CHECK(IsListEmpty(&Fcbs) && !Did.BadPaging);
    StopFileSystem();
}

static VOID a_view_and_reads_and_writes_of_C_are_one(VOID)
{
    FILE_END_OF_FILE_INFORMATION End = {.EndOfFile.QuadPart = 0x1000};
    FILE_DISPOSITION_INFORMATION Delete = {.DeleteFile = TRUE};
    HANDLE File, Section;
    OK(Open(PLAIN, GENERIC_READ | GENERIC_WRITE | DELETE, SHARED, FILE_CREATE, SYNC, &File));
    Put(File, 0, "first");
    Put(File, 0x2fff, "!");
    PUCHAR View = Map(File, &Section);
    CHECK(!memcmp(View, "first", 5));
    Put(File, 0, "later");
    CHECK(!memcmp(View, "later", 5));
    memcpy(View + 6, "by the view", 11);
    Put(File, 0x10, "W"); /* beside what the view has written in the same page */
    CHECK(Holds(File, 0, "later") && Holds(File, 6, "by the vieW") && !memcmp(View + 6, "by the vieW", 11));
    STATUS(ZwSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation), STATUS_USER_MAPPED_FILE);
    STATUS(ZwSetInformationFile(File, &Iosb, &Delete, sizeof(Delete), FileDispositionInformation),
           STATUS_CANNOT_DELETE);
    Unmap(View, Section);
    OK(ZwSetInformationFile(File, &Iosb, &End, sizeof(End), FileEndOfFileInformation));
    OK(ZwSetInformationFile(File, &Iosb, &Delete, sizeof(Delete), FileDispositionInformation));
    OK(ZwClose(File));
}

/* The buffer of a write is a view that is read in while it is copied. */
static VOID a_file_is_written_out_of_a_view_of_another(VOID)
{
    HANDLE From, To, Section;
    LARGE_INTEGER Zero = {.QuadPart = 0};
    OK(Open(PLAIN, GENERIC_READ | GENERIC_WRITE | DELETE, SHARED, FILE_CREATE, SYNC | FILE_DELETE_ON_CLOSE, &From));
    OK(Open(L"\\??\\C:\\g", GENERIC_READ | GENERIC_WRITE | DELETE, SHARED, FILE_CREATE, SYNC | FILE_DELETE_ON_CLOSE,
            &To));
    for (ULONG i = 0; i < 8; i++)
        Put(From, i * 0x1000ll, "page by page");
    Put(From, 0x7fff, "!");
    PUCHAR View = Map(From, &Section);
    OK(ZwWriteFile(To, NULL, NULL, NULL, &Iosb, View, 0x8000, &Zero, NULL));
    for (ULONG i = 0; i < 8; i++)
        CHECK(Holds(To, i * 0x1000ll, "page by page"));
    CHECK(Holds(To, 0x7fff, "!"));
    Unmap(View, Section);
    OK(ZwClose(From));
    OK(ZwClose(To));
}

TEST_MAIN(a_view_and_the_cache_are_one, a_file_that_is_mapped_becomes_cached_and_ceases_to_be,
          a_view_and_reads_and_writes_of_C_are_one, a_file_is_written_out_of_a_view_of_another)
