/* Fails on purpose, in the way that the setting names, after some events. */
#include "retrans/retrans.h"

#include <stdlib.h>
#include <string.h>

static const char *fault;
static int64_t after;
static int64_t seen;
/* Volatile: a compiler may leave memory out that is never read. */
static void *volatile taken;

static const retrans_setting settings[] = {
    {"fault", RETRANS_CHOICE, &fault, .initial = "exception", .choices = "exception|loop|memory",
     .doc = "How to fail."},
    {"after", RETRANS_INTEGER, &after, .initial = "0", .doc = "Events before the fault."},
    {0},
};

static retrans_verdict on_event(retrans_event *event) {
    (void)event;
    if (seen++ < after) return RETRANS_KEEP;
    if (strcmp(fault, "exception") == 0) return RETRANS_FAIL("a fault on purpose");
    for (volatile int64_t i = 0;; i++) {
        if (strcmp(fault, "memory") != 0) continue;
        taken = malloc(1 << 20);
        if (!taken) abort();
        memset((void *)taken, 1, 1 << 20);
    }
}

RETRANS_PLUGIN(.name = "faulty", .version = "0.1.0", .summary = "Fails on purpose", .settings = settings,
               .on_event = on_event)
