/* The resident set size of this process, for the systems that report it. */

#pragma once

#include "rusage.h"

/* Return the size in bytes, or a negative errno. */
static int64_t rusage_rss(void);
