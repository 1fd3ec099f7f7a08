/*
 * Controllers that several devices share: one at a time has one, the others wait. (docs: IoCreateController,
 * IoAllocateController, IoFreeController, ControllerControl)
 */
#include "test.h"

static PCONTROLLER_OBJECT Controller;
static PDEVICE_OBJECT Devices[3];
static IRP Requests[3];
static CHAR Order[16];
static ULONG Calls;

typedef struct _WANT {
    ULONG Number;
    IO_ALLOCATION_ACTION Answer;
} WANT;

static IO_ALLOCATION_ACTION NTAPI Control(PDEVICE_OBJECT Device, PIRP Irp, PVOID Extension, PVOID Context)
{
    WANT *Want = Context;

    CHECK(KeGetCurrentIrql() == DISPATCH_LEVEL);
    CHECK(Device == Devices[Want->Number] && Irp == &Requests[Want->Number]);
    CHECK(Extension == Controller->ControllerExtension);
    ++*(PULONG)Extension;
    Order[Calls++] = (CHAR)('a' + Want->Number);
    return Want->Answer;
}

/* Runs at DISPATCH_LEVEL, as IoAllocateController wants it. */
static VOID Allocate(WANT *Want)
{
    IoAllocateController(Controller, Devices[Want->Number], Control, Want);
}

static BOOLEAN Came(PCSTR Who)
{
    BOOLEAN Same = strlen(Who) == Calls && RtlEqualMemory(Who, Order, Calls);

    Calls = 0;
    return Same;
}

static VOID a_controller_has_an_extension(VOID)
{
    Controller = IoCreateController(100);
    if (!CHECK(Controller != NULL))
        return;
    CHECK(Controller->ControllerExtension && *(PULONG)Controller->ControllerExtension == 0);
    CHECK(Controller->Type == 2);
    for (ULONG i = 0; i < 3; i++) {
        OK(IoCreateDevice(Driver, 0, NULL, FILE_DEVICE_UNKNOWN, 0, FALSE, &Devices[i]));
        Devices[i]->CurrentIrp = &Requests[i];
    }
}

static VOID one_device_at_a_time_has_it(VOID)
{
    WANT A = {0, KeepObject}, B = {1, KeepObject}, C = {2, DeallocateObject};
    KIRQL Old;

    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    Allocate(&A);
    CHECK(Came("a")); /* at once */
    Allocate(&B);
    Allocate(&C);
    CHECK(Came(""));
    IoFreeController(Controller);
    CHECK(Came("b")); /* in the order they came */
    IoFreeController(Controller);
    CHECK(Came("c")); /* which did not keep it */
    Allocate(&A);
    CHECK(Came("a"));
    IoFreeController(Controller);
    CHECK(Came(""));
    KeLowerIrql(Old);
    CHECK(*(PULONG)Controller->ControllerExtension == 4);
}

static VOID who_does_not_keep_it_lets_the_next_go(VOID)
{
    WANT A = {0, KeepObject}, B = {1, DeallocateObject}, C = {2, DeallocateObject};
    KIRQL Old;

    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    Allocate(&B);
    CHECK(Came("b"));
    Allocate(&A);
    Allocate(&B);
    Allocate(&C);
    CHECK(Came("a"));
    IoFreeController(Controller);
    CHECK(Came("bc")); /* one after the other */
    Allocate(&C);
    CHECK(Came("c")); /* it is free */
    KeLowerIrql(Old);
}

/* docs: KeepObject or DeallocateObject; the third answer is for DMA adapters and keeps no controller free. */
static VOID the_third_answer_keeps_it(VOID)
{
    WANT A = {0, DeallocateObjectKeepRegisters}, B = {1, DeallocateObject};
    KIRQL Old;

    KeRaiseIrql(DISPATCH_LEVEL, &Old);
    Allocate(&A);
    Allocate(&B);
    CHECK(Came("a"));
    IoFreeController(Controller);
    CHECK(Came("b"));
    KeLowerIrql(Old);
}

static VOID it_is_deleted(VOID)
{
    IoDeleteController(Controller);
    for (ULONG i = 0; i < 3; i++) {
        Devices[i]->CurrentIrp = NULL;
        IoDeleteDevice(Devices[i]);
    }
}

TEST_MAIN(a_controller_has_an_extension, one_device_at_a_time_has_it, who_does_not_keep_it_lets_the_next_go,
          the_third_answer_keeps_it, it_is_deleted)
