/* Inline routines, the kit's and the driver's own, inside __try, where clang inlines nothing. */
#include <ntifs.h>
static LIST_ENTRY List;
FORCEINLINE ULONG One(ULONG Value)
{
    return Value + 1;
}
static __forceinline ULONG Two(ULONG Value)
{
    return Value + 2;
}
static inline ULONG Five(ULONG Value)
{
    return Value + 5;
}
NTSTATUS DriverEntry(PDRIVER_OBJECT Driver, PUNICODE_STRING Path)
{
    LIST_ENTRY Entry;
    ULONG Sum = 0;
    __try {
        InitializeListHead(&List);
        InsertTailList(&List, &Entry);
        if (!IsListEmpty(&List))
            RemoveEntryList(&Entry);
        Sum = One(1) + Two(1) + Five(1);
        ExRaiseStatus(STATUS_UNSUCCESSFUL);
    } __except (EXCEPTION_EXECUTE_HANDLER) {
        DbgPrint("sum %u\n", Sum);
    }
    return STATUS_SUCCESS;
}
