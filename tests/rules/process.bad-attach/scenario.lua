assert(launch("first.exe"))
assert(launch("second.exe"))
