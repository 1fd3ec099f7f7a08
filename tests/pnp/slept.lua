advance(30)
sleep(3)
