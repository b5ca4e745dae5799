#define _GNU_SOURCE
// A terminal of the step's own. It is made in the step's own devpts, after the root has changed, so that it has a name
// there and the caller's terminal has none: nothing that is done to it reaches further than the step. In C because the
// child makes it, and because ioctl(2) and the control messages of sockets are out of Swift's reach.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int swb_socket_pair(int ends[2]) {
    return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0 ? 0 : errno;
}

int swb_copy_window_size(int from, int to) {
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) != 0) return errno;
    return ioctl(to, TIOCSWINSZ, &size) == 0 ? 0 : errno;
}

/// Room for one descriptor, aligned as control messages have to be.
union control {
    struct cmsghdr header;
    char bytes[CMSG_SPACE(sizeof(int))];
};

static int send_descriptor(int socket, int descriptor) {
    char byte = 0;
    struct iovec content = {.iov_base = &byte, .iov_len = 1};
    union control control = {.bytes = {0}};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    control.header.cmsg_len = CMSG_LEN(sizeof descriptor);
    control.header.cmsg_level = SOL_SOCKET;
    control.header.cmsg_type = SCM_RIGHTS;
    memcpy(CMSG_DATA(&control.header), &descriptor, sizeof descriptor);
    return sendmsg(socket, &message, MSG_NOSIGNAL) == 1 ? 0 : errno;
}

int swb_receive_descriptor(int socket) {
    char byte;
    struct iovec content = {.iov_base = &byte, .iov_len = 1};
    union control control = {.bytes = {0}};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
    };
    ssize_t count;
    do count = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
    while (count < 0 && errno == EINTR);
    if (count < 0) return -errno;
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    if (count == 0 || header == NULL || header->cmsg_type != SCM_RIGHTS) return -EPIPE;
    int descriptor;
    memcpy(&descriptor, CMSG_DATA(header), sizeof descriptor);
    return descriptor;
}

int swb_open_terminal(const struct swb_setup *setup, int socket, uid_t uid) {
    int master =
        swb_open_beneath(setup->root, "dev/pts/ptmx", O_RDWR | O_NOCTTY | O_NOFOLLOW, RESOLVE_NO_SYMLINKS);
    if (master < 0) return master;
    int locked = 0, error = 0, terminal = -1;
    if (ioctl(master, TIOCSPTLCK, &locked) != 0) error = errno;
    // By way of the master: what a path stands for may have been covered by a mount.
    if (error == 0) {
        terminal = ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
        if (terminal < 0) error = errno;
    }
    // The user may open it once more by its name, as programs that ask for passwords do.
    if (error == 0 && fchown(terminal, uid, (gid_t)-1) != 0) error = errno;
    if (error == 0) error = send_descriptor(socket, master);
    close(master);
    return error == 0 ? terminal : -error;
}

int swb_take_terminal(void) {
    return ioctl(0, TIOCSCTTY, 0) == 0 ? 0 : errno;
}
