/* Takes the place of base/clock.c: time passes when a test says so. */
#include "fake_clock.h"

#include "base/clock.h"

static int64_t now;

void fake_clock_set(int64_t now_ms)
{
    now = now_ms;
}

int64_t clock_now_ms(void)
{
    return now;
}

int64_t clock_wall_s(void)
{
    return clock_wall_ms() / 1000;
}

int64_t clock_wall_ms(void)
{
    /* Some moment in 2026, so that nobody takes the one clock for the other. */
    return INT64_C(1790000000000) + now;
}

/* This clock stands still by itself. */
void clock_stand(void)
{
}

void clock_step(void)
{
}

void clock_run(void)
{
}
