#ifndef SWBUILD_SPAWN_INTERNAL_H
#define SWBUILD_SPAWN_INTERNAL_H

#include "cshims_spawn.h"

#include <stdbool.h>
#include <sys/types.h>

// Everything declared here runs in the child of a program with many threads, before execve: async-signal-safe calls only.
// Functions that return int return 0 or an errno, unless they return a descriptor: then it is that or a negative errno.

/// What the operations build up for those after them.
struct swb_setup {
    int root;               // the root of the step, the mount itself; before SWB_ROOT_OVERLAY the skeleton: a directory of
                            // the staging area that stands for it
    int skeleton;           // -1 before SWB_STAGING
    int covered;            // the directory that the staging area covers; -1 before SWB_STAGING
    uint64_t root_mount;    // its mount id
    int staging;            // a private tmpfs: sources of devices and files, places to attach overlays; never seen by the step
    int working_directory;  // -1 until SWB_WORKING_DIRECTORY
    int host_proc;          // the host's /proc, for the labels of security modules; -1 until SWB_CHANGE_ROOT
    int stub;               // the program that executes the step's; -1 until there is a staging area
    uint32_t index;         // of the running operation: names what it puts into the staging area
    int32_t detail;
    uint32_t compromises;   // enum swb_compromise, any of them
    bool forwards_signals;  // PID 1 passes signals that it gets on to the command
};

// spawn_paths.c
int swb_open_beneath(int root, const char *path, uint64_t flags, uint64_t resolve);
int swb_open_target(struct swb_setup *setup, const struct swb_operation *operation, bool directory);
int swb_open_working_directory(struct swb_setup *setup, const char *path);
int swb_is_directory(int fd, bool *directory);
int swb_mount_id(int fd, uint64_t *id, bool *mount_root);

/// Text for a number, with a prefix: "f12". The buffer must hold the prefix and 11 bytes.
const char *swb_numbered(char *buffer, const char *prefix, uint32_t number);

// spawn_overlay.c
/// A new overlay, attached nowhere.
int swb_overlay(struct swb_setup *setup, const struct swb_operation *operation);

// spawn_mount.c
/// A new file system of the operation's type and options, attached nowhere.
int swb_new_file_system(const struct swb_operation *operation);
/// A copy of the mount at a path, attached nowhere, with attributes added.
int swb_clone_mount(int fd, const char *path, uint64_t attributes, bool recursive);
/// Attaches a mount at the operation's target and closes its descriptor.
int swb_attach(struct swb_setup *setup, const struct swb_operation *operation, int mount);
/// Attaches a mount at a directory and closes its descriptor.
int swb_attach_at(int mount, int directory, const char *path);

// spawn_root.c
int swb_make_staging_area(struct swb_setup *setup, const struct swb_operation *operation);
int swb_prepare_root(struct swb_setup *setup, const struct swb_operation *operation);
/// Moves what is mounted in the skeleton to its place in the root.
int swb_attach_skeleton(struct swb_setup *setup, const struct swb_operation *operation);
int swb_change_root(struct swb_setup *setup);

// spawn_operations.c
int swb_perform(struct swb_setup *setup, const struct swb_operation *operation);

// spawn_runtime.c
int swb_make_runtime_bundle(struct swb_setup *setup, const struct swb_operation *operation);

// descriptors.c
/// Sends a descriptor through a socket; for a negative one, the errno that there is instead.
int swb_send_descriptor(int socket, int descriptor);

// spawn_terminal.c
/// A new terminal of the step's own, for a user; its master goes through a socket. Its other end, or a negative errno.
int swb_open_terminal(const struct swb_setup *setup, int socket, uid_t uid);
/// Makes the terminal that is descriptor 0 the one that controls this session.
int swb_take_terminal(void);
// spawn.c
/// Every signal at its default, none blocked: an ignored signal would stay ignored through execve.
void swb_reset_signals(void);
/// Closes every descriptor but those given (-1 is passed over).
void swb_close_all_but(int *kept, size_t count);
// spawn_stub.c
/// Writes all of some bytes; a file that takes no more is EIO.
int swb_write_all(int fd, const void *bytes, size_t length);
/// Makes the stub in a directory: a descriptor to execute it.
int swb_make_stub(int directory);
/// Executes the stub as the command's; returns the error.
int swb_start_stub(const struct swb_plan *plan, const struct swb_setup *setup);
/// Executes the stub as PID 1, without privileges; returns the error.
int swb_become_reaper(const struct swb_setup *setup, pid_t command, int report);

// network.c
/// Brings the loopback interface of the network namespace up.
int swb_bring_loopback_up(void);

// spawn_supervised.c
/// Installs the supervising filter and hands its listener to the parent.
int swb_install_supervising_filter(const struct swb_plan *plan);

// spawn_command.c
/// The last stretch, as the step's own process: credentials, filter, execve. Never returns.
_Noreturn void swb_become_command(const struct swb_plan *plan, struct swb_setup *setup, int standard_input);
/// Gives all capabilities but some up, for good.
int swb_drop_capabilities(uint64_t kept);
/// Reports a failure to the parent and ends the process.
_Noreturn void swb_fail(const struct swb_plan *plan, struct swb_report report);

#endif
