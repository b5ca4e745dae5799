#include "cshims_spawn.h"
