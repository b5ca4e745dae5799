#define _GNU_SOURCE
// A terminal of the step's own. It is made in the step's own devpts, after the root has changed, so that it has a name
// there and the caller's terminal has none: nothing that is done to it reaches further than the step. In C because the
// child makes it, and because ioctl(2) is out of Swift's reach.

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/ioctl.h>
#include <unistd.h>

int swb_copy_window_size(int from, int to) {
    struct winsize size;
    if (ioctl(from, TIOCGWINSZ, &size) != 0) return errno;
    return ioctl(to, TIOCSWINSZ, &size) == 0 ? 0 : errno;
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
    if (error == 0) error = swb_send_descriptor(socket, master);
    close(master);
    return error == 0 ? terminal : -error;
}

int swb_take_terminal(void) {
    return ioctl(0, TIOCSCTTY, 0) == 0 ? 0 : errno;
}
