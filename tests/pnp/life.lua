assert(device_rebalanced("ROOT\\LIFE") == 0)
assert(device_paged_to("ROOT\\LIFE") == 0)
assert(device_not_paged_to("ROOT\\LIFE") == 0)
assert(device_removed("ROOT\\NOBODY") == 0xC000000E)
