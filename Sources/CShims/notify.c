#define _GNU_SOURCE
// The supervisor's side of system calls that wait for an answer.

#include "cshims_notify.h"
#include "cshims_spawn.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

// Of 6.6, which older headers lack.
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
enum { SYNCHRONOUS_WAKE_UP = 1 };

// The kernel writes as much as its own struct has: room for one that has grown (it has 80 bytes since 5.0).
enum { ROOM = 1024 };

int swb_notify_accept(int channel) {
    int listener = swb_receive_descriptor(channel);
    // The caller sleeps until the answer: on the processor that answers it is woken soonest. Kernels before 6.6 cannot.
    if (listener >= 0) (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNCHRONOUS_WAKE_UP);
    return listener;
}

int swb_notify_decide(int channel, int go_on) {
    char byte = go_on ? 1 : 0;
    return send(channel, &byte, 1, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

int swb_notify_next(int listener, struct swb_notification *notification) {
    union {
        struct seccomp_notif notification;
        char bytes[ROOM];
    } room;
    memset(&room, 0, sizeof room);
    if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &room.notification) != 0) return errno;
    *notification = (struct swb_notification){
        .id = room.notification.id,
        .thread = room.notification.pid,
        .number = room.notification.data.nr,
        .architecture = room.notification.data.arch,
    };
    for (size_t i = 0; i < 6; i++) notification->arguments[i] = room.notification.data.args[i];
    return 0;
}

int swb_notify_answer(int listener, const struct swb_answer *answer) {
    union {
        struct seccomp_notif_resp answer;
        char bytes[ROOM];
    } room;
    memset(&room, 0, sizeof room);
    room.answer.id = answer->id;
    if (answer->proceed != 0) {
        room.answer.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    } else {
        room.answer.val = answer->value;
        room.answer.error = -answer->error;
    }
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &room.answer) == 0 ? 0 : errno;
}

int swb_notify_waits(int listener, uint64_t id) {
    return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}
