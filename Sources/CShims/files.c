#include "cshims_files.h"
