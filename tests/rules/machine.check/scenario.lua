machine_check()
