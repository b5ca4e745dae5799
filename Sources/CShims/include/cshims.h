#ifndef SWBUILD_CSHIMS_H
#define SWBUILD_CSHIMS_H

#include "cshims_archive.h"
#include "cshims_curl.h"
#include "cshims_files.h"
#include "cshims_network.h"
#include "cshims_notify.h"
#include "cshims_probe.h"
#include "cshims_spawn.h"
#include "cshims_startup.h"
#include "cshims_supervise.h"
#include "cshims_users.h"

#endif
