advance(1)
assert(profile_changes() == 0)
assert(device_removed("ROOT\\INTERFACES") == 0)
