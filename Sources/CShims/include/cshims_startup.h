#ifndef CSHIMS_STARTUP_H
#define CSHIMS_STARTUP_H

/// Gives the program its own copies of all pages of its writable data, while it has one thread.
///
/// A page that is first read and then written to is replaced by a copy at that moment, and each processor that runs one of
/// the program's threads is interrupted and waited for, which takes long on a virtual machine.
void cshims_populate_data(void);

#endif
