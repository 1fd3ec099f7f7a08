-- The life of the devices on the toy bus (bus.c, widget.c): pulled out, asked to stop, put to sleep, ejected.
advance(1)
assert(device_rebalanced("TOYBUS\\WIDGET") == 0)
assert(sleep(3) == 0)
print("ejected:", device_ejected("TOYBUS\\WIDGET") == 0)
advance(1)
