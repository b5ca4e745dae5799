#define _GNU_SOURCE
// The supervisor's side of system calls that wait for an answer.

#include "cshims_notify.h"

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

int swb_notify_channel(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
}

int swb_notify_accept(int channel) {
    int32_t failure = EPROTO;
    union {
        struct cmsghdr alignment;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control;
    struct iovec piece = {.iov_base = &failure, .iov_len = sizeof failure};
    struct msghdr message = {
        .msg_iov = &piece, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got;
    do got = recvmsg(channel, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    if (got == 0) return -EPIPE;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return failure > 0 ? -failure : -EPROTO;
    int listener;
    memcpy(&listener, CMSG_DATA(header), sizeof listener);
    // The caller sleeps until the answer: on the processor that answers it is woken soonest. Kernels before 6.6 cannot.
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, SYNCHRONOUS_WAKE_UP);
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
