/* notify: tells the service manager how the start and the end go: a datagram to the socket that NOTIFY_SOCKET names (the
 * protocol of sd_notify(3)). Without that variable nothing happens. */
#pragma once

/* "READY=1", "STOPPING=1", "RELOADING=1\nMONOTONIC_USEC=...". What cannot be delivered is nobody's failure: a manager that
 * waits for it will say so itself. */
void notify_manager(const char *state);
