expect(unload("refuses.sys"), 0x80000028, "the device refuses")
expect(#prints(), 0)
