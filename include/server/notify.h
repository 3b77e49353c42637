/* Tells systemd how the daemon is, by its datagram socket; nothing where there is no systemd. Any thread. */
#ifndef SERVER_NOTIFY_H
#define SERVER_NOTIFY_H

/* `state` as sd_notify(3) has it: "READY=1", "STOPPING=1", "RELOADING=1". */
void notify_systemd(const char *state);

#endif
