/*
 * The ladder: one driver that is at every level once, each reached by the level's own source, and the table of what its
 * routines saw there.
 *
 * Some sources are calls that the driver makes itself (a DPC, an APC, a call on all processors); others are fired from
 * outside, by ladder.lua: a non-maskable interrupt, an overflow of the performance counters, a failure of the mains. A
 * routine only notes what it sees; printing is for the unload routine, since DbgPrint stops at DIRQL. No routine of a
 * driver runs at CLOCK_LEVEL or POWER_LEVEL: those interrupts are the kernel's, and what the driver gets of them is a
 * timer's DPC, and a notification at PASSIVE_LEVEL.
 *
 *     irqlab run --cpus 2 --scenario examples/ladder/ladder.lua build/examples/ladder.sys
 */
#include <ntifs.h>
#include <ntddk.h>

typedef enum _KAPC_ENVIRONMENT { OriginalApcEnvironment } KAPC_ENVIRONMENT;
typedef VOID KKERNEL_ROUTINE(PKAPC Apc, PKNORMAL_ROUTINE *Routine, PVOID *Context, PVOID *Argument1, PVOID *Argument2);
NTKERNELAPI VOID NTAPI KeInitializeApc(PKAPC Apc, PKTHREAD Thread, KAPC_ENVIRONMENT Environment,
                                       KKERNEL_ROUTINE *KernelRoutine, PVOID RundownRoutine,
                                       PKNORMAL_ROUTINE NormalRoutine, KPROCESSOR_MODE Mode, PVOID Context);
NTKERNELAPI BOOLEAN NTAPI KeInsertQueueApc(PKAPC Apc, PVOID Argument1, PVOID Argument2, KPRIORITY Increment);

/* The counters' overflow handler, as Windows 10 has it; the headers here are older. */
typedef VOID OVERFLOW_HANDLER(ULONGLONG OverflowBits, HANDLE OwningHandle);
typedef struct _OVERFLOW_LIST {
    ULONG Count;
    struct {
        ULONG Type, Flags;
        union {
            ULONG CounterIndex;
            OVERFLOW_HANDLER *Handler;
            ULONG64 Reserved[2];
        } u;
    } Descriptors[2];
} OVERFLOW_LIST;

#define NOT_REACHED 0xff

/* A row of the table. Seen: by the routine, while it ran. */
typedef struct _RUNG {
    PCSTR Level;
    UCHAR Value;
    PCSTR Talk; /* its name on the talk's x86 ladder */
    PCSTR Source;
    volatile UCHAR Seen;
} RUNG;

enum {
    Nmi,
    Profile,
    PowerKernel,
    PowerDriver,
    Ipi,
    ClockKernel,
    ClockDriver,
    Synch,
    Device,
    Dpc,
    Apc,
    Threaded,
    Work,
    Entry
};

static RUNG Ladder[] = {
    [Nmi] = {"HIGH_LEVEL", 15, "HIGH", "NMI callback", NOT_REACHED},
    [Profile] = {"PROFILE_LEVEL", 15, "PROFILE", "overflow of a performance counter", NOT_REACHED},
    [PowerKernel] = {"POWER_LEVEL", 14, "POWER", "the mains fail: the kernel's own interrupt", NOT_REACHED},
    [PowerDriver] = {"", PASSIVE_LEVEL, "", "  what a driver gets: \\Callback\\PowerState", NOT_REACHED},
    [Ipi] = {"IPI_LEVEL", 14, "IPI", "KeIpiGenericCall", NOT_REACHED},
    [ClockKernel] = {"CLOCK_LEVEL", 13, "CLOCK2, CLOCK1", "the tick: the kernel's own interrupt", NOT_REACHED},
    [ClockDriver] = {"", DISPATCH_LEVEL, "", "  what a driver gets: the DPC of KeSetTimer", NOT_REACHED},
    [Synch] = {"SYNCH_LEVEL", 12, "", "KeRaiseIrql", NOT_REACHED},
    [Device] = {"DIRQL", 5, "DIRQL", "interrupt of a device", NOT_REACHED},
    [Dpc] = {"DISPATCH_LEVEL", DISPATCH_LEVEL, "DISPATCH", "DPC of KeInsertQueueDpc", NOT_REACHED},
    [Apc] = {"APC_LEVEL", APC_LEVEL, "APC", "special kernel APC", NOT_REACHED},
    [Threaded] = {"PASSIVE_LEVEL", PASSIVE_LEVEL, "PASSIVE", "threaded DPC", NOT_REACHED},
    [Work] = {"", PASSIVE_LEVEL, "", "work item", NOT_REACHED},
    [Entry] = {"", PASSIVE_LEVEL, "", "DriverEntry", NOT_REACHED},
};

static PVOID NmiHandle, PowerHandle;
static PCALLBACK_OBJECT PowerObject;
static HANDLE Counters;
static KTIMER Timer;
static KDPC DpcObject, TimerDpc, ThreadedDpc;
static KAPC ApcObject;
static WORK_QUEUE_ITEM WorkItem;

DRIVER_INITIALIZE DriverEntry;

static VOID Note(ULONG Rung)
{
    Ladder[Rung].Seen = KeGetCurrentIrql();
}

static BOOLEAN NTAPI OnNmi(PVOID Context, BOOLEAN Handled)
{
    Note(Nmi);
    return TRUE; /* ours: otherwise the machine stops */
}

static VOID OnOverflow(ULONGLONG OverflowBits, HANDLE OwningHandle)
{
    Note(Profile);
}

static VOID NTAPI OnPower(PVOID Context, PVOID Event, PVOID Mains)
{
    if (Event == (PVOID)PO_CB_AC_STATUS && !Mains)
        Note(PowerDriver);
}

static ULONG_PTR NTAPI OnIpi(ULONG_PTR Context)
{
    Note(Ipi);
    return 0;
}

/* One routine for all DPCs: the context says which rung it stands on. */
static VOID NTAPI OnDpc(PKDPC Object, PVOID Context, PVOID Argument1, PVOID Argument2)
{
    Note((ULONG)(ULONG_PTR)Context);
}

static VOID OnApc(PKAPC Object, PKNORMAL_ROUTINE *Routine, PVOID *Context, PVOID *Argument1, PVOID *Argument2)
{
    Note(Apc);
}

static VOID NTAPI OnWork(PVOID Context)
{
    Note(Work);
}

/* The rungs that the driver climbs by itself, lowest first. */
static VOID Climb(VOID)
{
    LARGE_INTEGER Due = {.QuadPart = -10000}; /* 1 ms */
    KIRQL OldIrql;

    Note(Entry);
    ExInitializeWorkItem(&WorkItem, OnWork, NULL);
    ExQueueWorkItem(&WorkItem, DelayedWorkQueue);
    KeInitializeThreadedDpc(&ThreadedDpc, OnDpc, (PVOID)Threaded);
    KeInsertQueueDpc(&ThreadedDpc, NULL, NULL);
    KeInitializeApc(&ApcObject, (PKTHREAD)KeGetCurrentThread(), OriginalApcEnvironment, OnApc, NULL, NULL, KernelMode,
                    NULL);
    KeInsertQueueApc(&ApcObject, NULL, NULL, 0);
    KeInitializeTimer(&Timer);
    KeInitializeDpc(&TimerDpc, OnDpc, (PVOID)ClockDriver);
    KeSetTimer(&Timer, Due, &TimerDpc);
    KeInitializeDpc(&DpcObject, OnDpc, (PVOID)Dpc);
    KeInsertQueueDpc(&DpcObject, NULL, NULL);
    KeRaiseIrql(Ladder[Synch].Value, &OldIrql);
    Note(Synch);
    KeLowerIrql(OldIrql);
    KeIpiGenericCall(OnIpi, 0);
}

static PCSTR Names[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12", "13", "14", "15"};

static VOID NTAPI Unload(PDRIVER_OBJECT DriverObject)
{
    KeCancelTimer(&Timer);
    KeFlushQueuedDpcs();
    KeDeregisterNmiCallback(NmiHandle);
    HalFreeHardwareCounters(Counters);
    ExUnregisterCallback(PowerHandle);
    ObDereferenceObject(PowerObject);

    DbgPrint("%-15s %2s  %-15s %-43s %s\n", "level", "", "the talk's x86", "reached by", "level seen");
    for (ULONG i = 0; i < RTL_NUMBER_OF(Ladder); i++) {
        RUNG *Rung = &Ladder[i];
        PCSTR Seen = i == PowerKernel || i == ClockKernel ? "-" : i == Device ? "not connected" : "not reached";
        if (Rung->Seen != NOT_REACHED)
            Seen = Names[Rung->Seen & 15];
        DbgPrint("%-15s %2s  %-15s %-43s %s\n", Rung->Level, *Rung->Level ? Names[Rung->Value] : "", Rung->Talk,
                 Rung->Source, Seen);
    }
}

/* What is registered, for the sources from outside. */
static NTSTATUS Register(VOID)
{
    OVERFLOW_LIST List = {
        2, {{ResourceTypeSingle, 0, {.CounterIndex = 0}}, {ResourceTypeOverflow, 0, {.Handler = OnOverflow}}}};
    UNICODE_STRING Name = RTL_CONSTANT_STRING(L"\\Callback\\PowerState");
    OBJECT_ATTRIBUTES Attributes;
    NTSTATUS Status;

    NmiHandle = KeRegisterNmiCallback(OnNmi, NULL);
    Status = HalAllocateHardwareCounters(NULL, 0, (PPHYSICAL_COUNTER_RESOURCE_LIST)&List, &Counters);
    if (!NmiHandle || !NT_SUCCESS(Status))
        return STATUS_INSUFFICIENT_RESOURCES;
    InitializeObjectAttributes(&Attributes, &Name, OBJ_CASE_INSENSITIVE, NULL, NULL);
    Status = ExCreateCallback(&PowerObject, &Attributes, FALSE, TRUE);
    if (NT_SUCCESS(Status))
        PowerHandle = ExRegisterCallback(PowerObject, OnPower, NULL);
    return Status;
}

NTSTATUS NTAPI DriverEntry(PDRIVER_OBJECT DriverObject, PUNICODE_STRING RegistryPath)
{
    NTSTATUS Status = Register();

    DriverObject->DriverUnload = Unload;
    if (NT_SUCCESS(Status))
        Climb();
    return Status;
}
