-- A program opens the device of opened.h.
assert(launch("client.exe")):open("\\??\\Opened")
