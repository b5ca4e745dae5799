#define _GNU_SOURCE
#include "cshims_probe.h"

#include "spawn_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef LANDLOCK_CREATE_RULESET_VERSION
#define LANDLOCK_CREATE_RULESET_VERSION 1U
#endif

int swb_landlock_version(void) {
    long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return version < 0 ? -errno : (int)version;
}

static int write_text(const char *path, const char *text) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0) return errno;
    int error = write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : errno;
    close(fd);
    return error;
}

static int map_one_id(const struct swb_probe *probe) {
    char map[32];
    int error = write_text("/proc/self/setgroups", "deny");
    if (error != 0) return error;
    swb_numbered(map, "0 ", probe->gid);
    error = write_text("/proc/self/gid_map", strcat(map, " 1"));
    if (error != 0) return error;
    swb_numbered(map, "0 ", probe->uid);
    return write_text("/proc/self/uid_map", strcat(map, " 1"));
}

static int try_overlay(const struct swb_probe *probe) {
    if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0) return errno;
    const char *lower[] = {probe->lower};
    struct swb_operation operation = {
        .flags = probe->own_users ? SWB_FLAG_USER_XATTR : 0,
        .list = lower,
        .list_count = 1,
        .upper = probe->upper,
        .work = probe->work,
    };
    struct swb_setup setup = {.root = -1, .working_directory = -1};
    setup.staging = open(probe->scratch, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (setup.staging < 0) return errno;
    int overlay = swb_overlay(&setup, &operation);
    return overlay < 0 ? -overlay : 0;
}

static void try_all(const struct swb_probe *probe, struct swb_probe_result *result) {
    // The working directory goes along into a new mount namespace; a descriptor stays with the mount of the old one, which
    // nothing can be stacked on.
    if (chdir(probe->directory) != 0) return;
    if (probe->own_users) {
        result->user_namespace = unshare(CLONE_NEWUSER) == 0 ? 0 : errno;
        if (result->user_namespace != 0) return;
        result->id_map = map_one_id(probe);
        if (result->id_map != 0) return;
    }
    int flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET;
    result->namespaces = unshare(flags) == 0 ? 0 : errno;
    if (result->namespaces == 0) result->overlay = try_overlay(probe);
}

int swb_try(const struct swb_probe *probe, struct swb_probe_result *result) {
    *result = (struct swb_probe_result){-1, -1, -1, -1};
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    pid_t child = fork();
    if (child == 0) {
        struct swb_probe_result found = *result;
        try_all(probe, &found);
        _exit(write(ends[1], &found, sizeof found) == sizeof found ? 0 : 1);
    }
    int error = child < 0 ? errno : 0;
    close(ends[1]);
    if (error == 0) {
        struct swb_probe_result found;
        if (read(ends[0], &found, sizeof found) == sizeof found) *result = found;
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
    }
    close(ends[0]);
    return error;
}
