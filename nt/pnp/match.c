/*
 * Which drivers belong to a device: the user says it (irqlab run --device), an INF file (--inf, which the host turns into the
 * same), or the device's key below Enum does (Service, UpperFilters, LowerFilters).
 *
 * A binding is "ID[=DRIVER][,upper=DRIVER][,lower=DRIVER]...": a device one of whose hardware or compatible ids is ID is
 * driven by DRIVER, with the filters named. An id of the root enumerator ("Root\Echo") makes a device, too. DIFFERS: on
 * Windows drivers are ranked; here the first binding that fits is taken.
 */
#include "nt.h"

#define PNP_FILTERS 7

typedef struct _PNP_BINDING {
    LIST_ENTRY Entry;
    PWSTR Id;
    CHAR Function[64];                                   /* file name; "" = none, raw */
    CHAR Upper[PNP_FILTERS][64], Lower[PNP_FILTERS][64]; /* from the function driver outward */
    ULONG Uppers, Lowers;
} PNP_BINDING, *PPNP_BINDING;

static LIST_ENTRY PnpBindings = {&PnpBindings, &PnpBindings};

/* "dir/x" -> "x.sys" */
static BOOLEAN PnpDriverName(PCHAR To, PCSTR From, ULONG Length)
{
    PCSTR Base = From + Length;
    ULONG n = 0;
    while (Base > From && Base[-1] != '/')
        Base--;
    Length -= (ULONG)(Base - From);
    if (!Length || Length > 58)
        return FALSE;
    for (; n < Length; n++)
        To[n] = Base[n];
    To[n] = 0;
    if (n < 4 || _stricmp(To + n - 4, ".sys"))
        memcpy(To + n, ".sys", 5);
    return TRUE;
}

static BOOLEAN PnpParsePart(PPNP_BINDING Binding, PCSTR Part, ULONG Length)
{
    if (Length > 6 && !_strnicmp(Part, "upper=", 6))
        return Binding->Uppers < PNP_FILTERS && PnpDriverName(Binding->Upper[Binding->Uppers++], Part + 6, Length - 6);
    if (Length > 6 && !_strnicmp(Part, "lower=", 6))
        return Binding->Lowers < PNP_FILTERS && PnpDriverName(Binding->Lower[Binding->Lowers++], Part + 6, Length - 6);
    return !*Binding->Function && PnpDriverName(Binding->Function, Part, Length);
}

static PPNP_BINDING PnpParseBinding(PCSTR Text)
{
    PPNP_BINDING Binding = ExpAllocate(sizeof(*Binding), PNP_TAG);
    CHAR Id[200];
    WCHAR Wide[200];
    ULONG n = 0;
    BOOLEAN Good;
    for (; Text[n] && Text[n] != '=' && Text[n] != ',' && n < sizeof(Id) - 1; n++)
        Id[n] = Text[n];
    Id[n] = 0;
    Good = n > 0 && (!Text[n] || Text[n] == '=' || Text[n] == ',');
    while (Good && Text[n]) {
        ULONG Start = ++n;
        while (Text[n] && Text[n] != ',')
            n++;
        Good = PnpParsePart(Binding, Text + Start, n - Start);
    }
    if (!Good) {
        ExpFree(Binding);
        return NULL;
    }
    RtlpFromUtf8(Wide, RTL_NUMBER_OF(Wide), Id);
    Binding->Id = PnpCopyString(Wide);
    return Binding;
}

NTSTATUS PnpBind(PCSTR Text)
{
    PPNP_BINDING Binding = PnpParseBinding(Text);
    WCHAR Ids[201] = {0};
    PDEVICE_OBJECT Pdo;
    if (!Binding)
        return STATUS_INVALID_PARAMETER;
    PnpInitialize();
    InsertTailList(&PnpBindings, &Binding->Entry);
    if (_wcsnicmp(Binding->Id, L"Root\\", 5))
        return STATUS_SUCCESS;
    wcscpy(Ids, Binding->Id); /* the array's zeroes end the list */
    return PnpMakeRootDevice(Binding->Id, NULL, Ids, &Pdo);
}

BOOLEAN PnpIsBound(PDRIVER_OBJECT Driver)
{
    PCSTR Name = IopDriverOf(Driver)->FileName;
    for (PLIST_ENTRY Entry = PnpBindings.Flink; Entry != &PnpBindings; Entry = Entry->Flink) {
        PPNP_BINDING Binding = CONTAINING_RECORD(Entry, PNP_BINDING, Entry);
        BOOLEAN Found = !_stricmp(Binding->Function, Name);
        for (ULONG i = 0; i < Binding->Uppers; i++)
            Found |= !_stricmp(Binding->Upper[i], Name);
        for (ULONG i = 0; i < Binding->Lowers; i++)
            Found |= !_stricmp(Binding->Lower[i], Name);
        if (Found)
            return TRUE;
    }
    return FALSE;
}

static PPNP_BINDING PnpFindBinding(PDEVICE_NODE Node)
{
    PCWSTR Lists[2] = {Node->HardwareIds, Node->CompatibleIds};
    for (ULONG i = 0; i < 2; i++)
        for (PLIST_ENTRY Entry = PnpBindings.Flink; Entry != &PnpBindings; Entry = Entry->Flink)
            if (PnpListHas(Lists[i], CONTAINING_RECORD(Entry, PNP_BINDING, Entry)->Id))
                return CONTAINING_RECORD(Entry, PNP_BINDING, Entry);
    return NULL;
}

/* The driver of a file name, if it is loaded. */
static BOOLEAN PnpPush(PPNP_STACK Stack, PCSTR Name)
{
    PDRIVER_OBJECT Driver = IopFindDriver(Name);
    if (!Driver || (Driver->Flags & DRVO_UNLOAD_INVOKED) || Stack->Count == RTL_NUMBER_OF(Stack->Driver))
        return FALSE;
    Stack->Driver[Stack->Count++] = Driver;
    return TRUE;
}

/* The drivers that a value names, one or a list; freed. *Any: there was one. */
static BOOLEAN PnpPushNames(NTSTATUS Read, PKEY_VALUE_PARTIAL_INFORMATION Value, PPNP_STACK Stack, PBOOLEAN Any)
{
    BOOLEAN Good = TRUE;
    if (!NT_SUCCESS(Read))
        return TRUE;
    for (PWSTR Name = (PWSTR)Value->Data; *Name && Good; Name += wcslen(Name) + 1) {
        CHAR Text[64];
        RtlpFormat(Text, sizeof(Text), "%ws.sys", Name);
        *Any = TRUE;
        Good = PnpPush(Stack, Text);
    }
    ExpFree(Value);
    return Good;
}

static BOOLEAN PnpPushValue(PDEVICE_NODE Node, PCWSTR Name, PPNP_STACK Stack, PBOOLEAN Any)
{
    PKEY_VALUE_PARTIAL_INFORMATION Value;
    NTSTATUS Status = PnpReadValue(Node, NULL, Name, &Value);
    return PnpPushNames(Status, Value, Stack, Any);
}

/* Filters of the device's class. They alone make no stack. */
static BOOLEAN PnpPushClass(PDEVICE_NODE Node, PCWSTR Name, PPNP_STACK Stack)
{
    PKEY_VALUE_PARTIAL_INFORMATION Value;
    BOOLEAN Any;
    NTSTATUS Status = PnpReadClassValue(Node, Name, &Value);
    return PnpPushNames(Status, Value, Stack, &Any);
}

static NTSTATUS PnpMatchKey(PDEVICE_NODE Node, PPNP_STACK Stack)
{
    BOOLEAN Any = FALSE, Good = PnpPushValue(Node, L"LowerFilters", Stack, &Any);
    BOOLEAN Service = FALSE;
    Good = Good && PnpPushClass(Node, L"LowerFilters", Stack);
    Stack->Function = Stack->Count;
    Good = Good && PnpPushValue(Node, L"Service", Stack, &Service);
    Any |= Service;
    if (!Service)
        Stack->Function = (ULONG)-1;
    Good = Good && PnpPushValue(Node, L"UpperFilters", Stack, &Any) && PnpPushClass(Node, L"UpperFilters", Stack);
    return !Any ? STATUS_NO_SUCH_DEVICE : Good ? STATUS_SUCCESS : STATUS_DEVICE_NOT_READY;
}

static NTSTATUS PnpMatchBinding(PDEVICE_NODE Node, PPNP_BINDING Binding, PPNP_STACK Stack)
{
    BOOLEAN Good = TRUE;
    for (ULONG i = 0; i < Binding->Lowers && Good; i++)
        Good = PnpPush(Stack, Binding->Lower[i]);
    Good = Good && PnpPushClass(Node, L"LowerFilters", Stack);
    Stack->Function = *Binding->Function ? Stack->Count : (ULONG)-1;
    if (*Binding->Function && Good)
        Good = PnpPush(Stack, Binding->Function);
    for (ULONG i = 0; i < Binding->Uppers && Good; i++)
        Good = PnpPush(Stack, Binding->Upper[i]);
    Good = Good && PnpPushClass(Node, L"UpperFilters", Stack);
    return Good ? STATUS_SUCCESS : STATUS_DEVICE_NOT_READY;
}

/* From the device upward: its lower filters, its class's, the function driver, its upper filters, its class's.
 * (docs: "Installing a Filter Driver", "WDM Driver Layers") */
NTSTATUS PnpMatch(PDEVICE_NODE Node, PPNP_STACK Stack)
{
    PPNP_BINDING Binding = PnpFindBinding(Node);
    RtlZeroMemory(Stack, sizeof(*Stack));
    if (Node->Own) {
        Stack->Driver[Stack->Count++] = Node->Own;
        return STATUS_SUCCESS;
    }
    return Binding ? PnpMatchBinding(Node, Binding, Stack) : PnpMatchKey(Node, Stack);
}
