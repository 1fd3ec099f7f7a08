/*
 * The worker process: one machine. The supervisor starts the program again with argv[0] = CHANNEL_WORKER_NAME; main()
 * must then call worker_main and return what it returns.
 */
#pragma once

int worker_main(void);
