/*
 * Resources: lists as drivers get them, raw and translated, and an arbiter that finds free ones for requirements.
 *
 * Raw resources are what the device decodes; translated ones what the processor uses: here the same but for interrupts, where
 * a line, or a message, becomes a vector and its level. (docs: "Raw and Translated Resources", IO_RESOURCE_REQUIREMENTS_LIST)
 */
#include "nt.h"

/* Full descriptors follow each other; device specific data at the end of one are part of it. */
static PCM_FULL_RESOURCE_DESCRIPTOR PnpNextFull(PCM_FULL_RESOURCE_DESCRIPTOR Full)
{
    PCM_PARTIAL_RESOURCE_LIST Partial = &Full->PartialResourceList;
    PUCHAR End = (PUCHAR)&Partial->PartialDescriptors[Partial->Count];
    if (Partial->Count && Partial->PartialDescriptors[Partial->Count - 1].Type == CmResourceTypeDeviceSpecific)
        End += Partial->PartialDescriptors[Partial->Count - 1].u.DeviceSpecificData.DataSize;
    return (PVOID)End;
}

ULONG PnpResourceBytes(PCM_RESOURCE_LIST List)
{
    PCM_FULL_RESOURCE_DESCRIPTOR Full = &List->List[0];
    for (ULONG i = 0; i < List->Count; i++)
        Full = PnpNextFull(Full);
    return (ULONG)((PUCHAR)Full - (PUCHAR)List);
}

PCM_RESOURCE_LIST PnpCopyResources(PCM_RESOURCE_LIST List)
{
    PCM_RESOURCE_LIST Copy;
    if (!List || !List->Count)
        return NULL;
    Copy = ExpAllocate(PnpResourceBytes(List), PNP_TAG);
    RtlCopyMemory(Copy, List, PnpResourceBytes(List));
    return Copy;
}

PCM_RESOURCE_LIST PnpTranslate(PCM_RESOURCE_LIST Raw)
{
    PCM_RESOURCE_LIST List = PnpCopyResources(Raw);
    PCM_FULL_RESOURCE_DESCRIPTOR Full = List ? &List->List[0] : NULL;
    for (ULONG i = 0; List && i < List->Count; i++, Full = PnpNextFull(Full))
        for (ULONG j = 0; j < Full->PartialResourceList.Count; j++) {
            PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource = &Full->PartialResourceList.PartialDescriptors[j];
            if (Resource->Type != CmResourceTypeInterrupt)
                continue;
            BOOLEAN Message = (Resource->Flags & CM_RESOURCE_INTERRUPT_MESSAGE) != 0;
            ULONG Vector =
                Message ? Resource->u.MessageInterrupt.Raw.Vector : HalpVectorOfLine(Resource->u.Interrupt.Vector);
            Resource->u.Interrupt.Vector = Vector;
            Resource->u.Interrupt.Level = Vector >> 4;
            Resource->u.Interrupt.Affinity = KeQueryActiveProcessors();
        }
    return List;
}

/* ---- Arbitration ------------------------------------------------------------------------------------------------- */

typedef struct _PNP_RANGE {
    UCHAR Type;
    BOOLEAN Shared;
    UINT64 First, Last;
} PNP_RANGE;

static BOOLEAN PnpRangeOf(PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource, PNP_RANGE *Range)
{
    Range->Type = Resource->Type;
    Range->Shared = Resource->ShareDisposition == CmResourceShareShared;
    switch (Resource->Type) {
    case CmResourceTypePort:
    case CmResourceTypeMemory:
        Range->First = (UINT64)Resource->u.Generic.Start.QuadPart;
        Range->Last = Range->First + Resource->u.Generic.Length - 1;
        return Resource->u.Generic.Length != 0;
    case CmResourceTypeInterrupt:
        Range->First = Range->Last = Resource->u.Interrupt.Vector;
        return !(Resource->Flags & CM_RESOURCE_INTERRUPT_MESSAGE); /* messages' vectors are nobody else's */
    case CmResourceTypeDma:
        Range->First = Range->Last = Resource->u.Dma.Channel;
        return TRUE;
    default:
        return FALSE;
    }
}

static BOOLEAN PnpOverlaps(PCM_RESOURCE_LIST List, const PNP_RANGE *Wanted)
{
    PCM_FULL_RESOURCE_DESCRIPTOR Full = List ? &List->List[0] : NULL;
    for (ULONG i = 0; List && i < List->Count; i++, Full = PnpNextFull(Full))
        for (ULONG j = 0; j < Full->PartialResourceList.Count; j++) {
            PNP_RANGE Range;
            if (PnpRangeOf(&Full->PartialResourceList.PartialDescriptors[j], &Range) && Range.Type == Wanted->Type &&
                Range.First <= Wanted->Last && Wanted->First <= Range.Last && !(Range.Shared && Wanted->Shared))
                return TRUE;
        }
    return FALSE;
}

static BOOLEAN PnpIsFree(const PNP_RANGE *Wanted, PDEVICE_NODE Except, PCM_RESOURCE_LIST Own)
{
    if (PnpOverlaps(Own, Wanted))
        return FALSE;
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot))
        if (Node != Except && PnpOverlaps(Node->Raw ? Node->Raw : Node->Boot, Wanted))
            return FALSE;
    return TRUE;
}

BOOLEAN PnpListsOverlap(PCM_RESOURCE_LIST One, PCM_RESOURCE_LIST Other)
{
    PCM_FULL_RESOURCE_DESCRIPTOR Full = &One->List[0];
    for (ULONG i = 0; i < One->Count; i++, Full = PnpNextFull(Full))
        for (ULONG j = 0; j < Full->PartialResourceList.Count; j++) {
            PNP_RANGE Range;
            if (PnpRangeOf(&Full->PartialResourceList.PartialDescriptors[j], &Range) && PnpOverlaps(Other, &Range))
                return TRUE;
        }
    return FALSE;
}

/* By a device whose driver has started it: what nobody uses may be claimed by a driver that finds its device itself. */
BOOLEAN PnpIsTaken(PCM_RESOURCE_LIST List)
{
    for (PDEVICE_NODE Node = PnpRoot; Node; Node = PnpNextNode(Node, PnpRoot))
        if (Node->State == PnpStarted && Node->Raw && PnpListsOverlap(List, Node->Raw))
            return TRUE;
    return FALSE;
}

/* Steps of 1 through numbers, of the alignment through addresses; at most as many as a bus has places. */
static BOOLEAN PnpFit(PIO_RESOURCE_DESCRIPTOR Want, PDEVICE_NODE Node, PCM_RESOURCE_LIST Own,
                      PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource)
{
    BOOLEAN Address = Want->Type == CmResourceTypePort || Want->Type == CmResourceTypeMemory;
    UINT64 Step = Address && Want->u.Generic.Alignment ? Want->u.Generic.Alignment : 1, First, Last, Length;
    PNP_RANGE Range = {.Type = Want->Type, .Shared = Want->ShareDisposition == CmResourceShareShared};
    Resource->Type = Want->Type;
    Resource->ShareDisposition = Want->ShareDisposition;
    Resource->Flags = Want->Flags;
    Length = Address ? Want->u.Generic.Length : 1;
    First = Address                                 ? (UINT64)Want->u.Generic.MinimumAddress.QuadPart
            : Want->Type == CmResourceTypeInterrupt ? Want->u.Interrupt.MinimumVector
                                                    : Want->u.Dma.MinimumChannel;
    Last = Address                                 ? (UINT64)Want->u.Generic.MaximumAddress.QuadPart
           : Want->Type == CmResourceTypeInterrupt ? Want->u.Interrupt.MaximumVector
                                                   : Want->u.Dma.MaximumChannel;
    First = (First + Step - 1) / Step * Step;
    for (ULONG i = 0; i < 65536 && Length && First + Length - 1 <= Last && First + Length - 1 >= First;
         i++, First += Step) {
        Range.First = First;
        Range.Last = First + Length - 1;
        if (!PnpIsFree(&Range, Node, Own))
            continue;
        if (Address) {
            Resource->u.Generic.Start.QuadPart = (LONGLONG)First;
            Resource->u.Generic.Length = (ULONG)Length;
        } else if (Want->Type == CmResourceTypeInterrupt) {
            Resource->u.Interrupt.Level = Resource->u.Interrupt.Vector = (ULONG)First;
            Resource->u.Interrupt.Affinity = KeQueryActiveProcessors();
        } else
            Resource->u.Dma.Channel = (ULONG)First;
        return TRUE;
    }
    return FALSE;
}

/* One descriptor and those that are alternatives to it, which follow. *Index goes behind them. */
static BOOLEAN PnpFitGroup(PIO_RESOURCE_LIST Wants, PULONG Index, PDEVICE_NODE Node, PCM_RESOURCE_LIST Raw)
{
    PCM_PARTIAL_RESOURCE_LIST Partial = &Raw->List[0].PartialResourceList;
    PCM_PARTIAL_RESOURCE_DESCRIPTOR Resource = &Partial->PartialDescriptors[Partial->Count];
    PIO_RESOURCE_DESCRIPTOR Want = &Wants->Descriptors[(*Index)++];
    BOOLEAN Good, Private = Want->Type == CmResourceTypeDevicePrivate || Want->Type == CmResourceTypeDeviceSpecific;
    if (Want->Type == CmResourceTypeConfigData || Want->Type == CmResourceTypeNull)
        return TRUE;
    if (Private) {
        Resource->Type = Want->Type;
        RtlCopyMemory(&Resource->u.DevicePrivate, &Want->u.DevicePrivate, sizeof(Resource->u.DevicePrivate));
        Good = TRUE;
    } else
        Good = PnpFit(Want, Node, Raw, Resource);
    for (; *Index < Wants->Count && (Wants->Descriptors[*Index].Option & IO_RESOURCE_ALTERNATIVE); (*Index)++)
        if (!Good)
            Good = PnpFit(&Wants->Descriptors[*Index], Node, Raw, Resource);
    if (Good)
        Partial->Count++;
    return Good;
}

static BOOLEAN PnpFitList(PIO_RESOURCE_LIST Wants, PDEVICE_NODE Node, PCM_RESOURCE_LIST Raw)
{
    Raw->List[0].PartialResourceList.Count = 0;
    for (ULONG i = 0; i < Wants->Count;)
        if (!PnpFitGroup(Wants, &i, Node, Raw))
            return FALSE;
    return TRUE;
}

NTSTATUS PnpAssign(PIO_RESOURCE_REQUIREMENTS_LIST Requirements, PCM_RESOURCE_LIST Prefer, PDEVICE_NODE Node,
                   PCM_RESOURCE_LIST *Raw)
{
    PIO_RESOURCE_LIST Wants = &Requirements->List[0];
    ULONG Most = 1;
    BOOLEAN Good = FALSE;
    *Raw = NULL;
    if (Prefer) {
        *Raw = PnpCopyResources(Prefer);
        return STATUS_SUCCESS;
    }
    for (ULONG i = 0; i < Requirements->AlternativeLists; i++, Wants = (PVOID)&Wants->Descriptors[Wants->Count])
        Most = Wants->Count > Most ? Wants->Count : Most;
    *Raw = ExpAllocate(FIELD_OFFSET(CM_RESOURCE_LIST, List[0].PartialResourceList.PartialDescriptors[Most]), PNP_TAG);
    (*Raw)->Count = 1;
    (*Raw)->List[0].InterfaceType = Requirements->InterfaceType;
    (*Raw)->List[0].BusNumber = Requirements->BusNumber;
    (*Raw)->List[0].PartialResourceList.Version = (*Raw)->List[0].PartialResourceList.Revision = 1;
    Wants = &Requirements->List[0];
    for (ULONG i = 0; i < Requirements->AlternativeLists && !Good;
         i++, Wants = (PVOID)&Wants->Descriptors[Wants->Count])
        Good = PnpFitList(Wants, Node, *Raw);
    if (Good && (*Raw)->List[0].PartialResourceList.Count)
        return STATUS_SUCCESS;
    ExpFree(*Raw);
    *Raw = NULL;
    return Good ? STATUS_SUCCESS : STATUS_CONFLICTING_ADDRESSES;
}
