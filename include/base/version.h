/* The version of this build: `--version`, the User-Agent, the metrics. */
#ifndef BASE_VERSION_H
#define BASE_VERSION_H

#define REPLIBRIDGE_VERSION "0.1.0"

#endif
