/* What is right of the answers that clients of a soak get. */
#ifndef SOAK_JUDGE_H
#define SOAK_JUDGE_H

#include "soak_client.h"

/* Counts the answer, which is over or broken, and whatever is wrong about it. */
void soak_judge(struct soak_client *client);

/* Counts it as wrong, and keeps the first one's story. */
void soak_blame(struct soak_client *client, const char *what);

#endif
