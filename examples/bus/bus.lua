-- The life of the devices on the toy bus (bus.c, widget.c): asked to stop, put to sleep, ejected, removed.
machine{drivers = {"bus.sys", "widget.sys"}, devices = {"Root\\ToyBus=bus.sys", "ToyBus\\Widget=widget.sys"}}
advance(1)
assert(device_rebalanced("TOYBUS\\WIDGET") == 0)
assert(sleep(3) == 0)
assert(device_ejected("TOYBUS\\WIDGET") == 0)
advance(1)
assert(device_vanishes("TOYBUS\\WIDGET") == 0)
