#define _GNU_SOURCE
// Network namespaces that outlive a step.

#include "cshims_network.h"
#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

int swb_bring_loopback_up(void) {
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return errno;
    struct ifreq request = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
    int error = ioctl(fd, SIOCSIFFLAGS, &request) == 0 ? 0 : errno;
    close(fd);
    return error;
}

/// Sets a sysctl of the namespace; where it is not there, things go on without.
static void set(const char *path, const char *value) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return;
    ssize_t ignored = write(fd, value, strlen(value));
    (void)ignored;
    close(fd);
}

static int make_network(void) {
    if (unshare(CLONE_NEWNET) != 0) return -errno;
    int error = swb_bring_loopback_up();
    if (error != 0) return -error;
    // A port that one step listened on must be free for the next: no connection lingers in TIME_WAIT.
    set("/proc/sys/net/ipv4/tcp_max_tw_buckets", "0");
    // There is nobody to have the same address, and a router is there at once or never: no second is lost over IPv6.
    set("/proc/sys/net/ipv6/conf/all/accept_dad", "0");
    set("/proc/sys/net/ipv6/conf/default/accept_dad", "0");
    set("/proc/sys/net/ipv6/conf/all/router_solicitation_delay", "0");
    set("/proc/sys/net/ipv6/conf/default/router_solicitation_delay", "0");
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

static void *run(void *result) {
    *(int *)result = make_network();
    return NULL;
}

int swb_new_network(void) {
    int result = -EAGAIN;
    sigset_t all, previous;
    sigfillset(&all);
    // The program's signals are for its own threads.
    pthread_sigmask(SIG_SETMASK, &all, &previous);
    pthread_t thread;
    int error = pthread_create(&thread, NULL, run, &result);
    pthread_sigmask(SIG_SETMASK, &previous, NULL);
    if (error != 0) return -error;
    pthread_join(thread, NULL);
    return result;
}
