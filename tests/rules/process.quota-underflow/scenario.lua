assert(launch("charged.exe"))
