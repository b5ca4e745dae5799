#define _GNU_SOURCE
// Descriptors that go from the step's process to this one: a terminal's master, the listener of a filter. In C because
// the child sends them, and because the control messages of sockets are out of Swift's reach.

#include "spawn_internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

int swb_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
}

/// Room for one descriptor, aligned as control messages have to be.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

int swb_send_descriptor(int socket, int descriptor) {
    int32_t failure = descriptor < 0 ? -descriptor : 0;
    struct iovec content = {.iov_base = &failure, .iov_len = sizeof failure};
    struct msghdr message = {.msg_iov = &content, .msg_iovlen = 1};
    union control control = {.bytes = {0}};
    if (descriptor >= 0) {
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof descriptor);
        memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
        message.msg_control = &control;
        message.msg_controllen = sizeof control;
    }
    ssize_t sent;
    do sent = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (sent < 0 && errno == EINTR);
    return sent < 0 ? errno : 0;
}

int swb_receive_descriptor(int socket) {
    int32_t failure = EPROTO;
    struct iovec content = {.iov_base = &failure, .iov_len = sizeof failure};
    union control control = {.bytes = {0}};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t got;
    do got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (got < 0 && errno == EINTR);
    if (got < 0) return -errno;
    if (got == 0) return -EPIPE;
    const struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (header == NULL || header->cmsg_type != SCM_RIGHTS) return failure > 0 ? -failure : -EPROTO;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}
