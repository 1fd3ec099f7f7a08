sleep(3)
