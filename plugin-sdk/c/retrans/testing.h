/* Tests of plugins: they run natively, without WebAssembly. Compile the plugin, the test, and all files of the SDK but
 * bindings.c; see docs/languages/c.md.
 *
 *     #include "retrans/testing.h"
 *
 *     static void others_are_dropped(void) {
 *         retrans_test_event("192.0.2.1", 80);
 *         CHECK(retrans_test_run("port=443"), "event 0: dropped\n");
 *     }
 *
 *     RETRANS_TESTS({"others are dropped", others_are_dropped})
 */
#ifndef RETRANS_TESTING_H
#define RETRANS_TESTING_H

#include "retrans.h"

/* Adds an event to this peer to the stream of the test. It is at the time of the last one, or at 100 s; set what the
 * test needs: retrans_set_rto(event, 3 * RETRANS_SECOND). Valid until the next one is added. */
retrans_event *retrans_test_event(const char *peer, uint16_t port);
/* Sets the time since boot of the event. */
void retrans_test_at(retrans_event *event, retrans_ns time);
/* Adds a label of an earlier plugin to the event that was added last. */
void retrans_test_label(const char *key, const char *value);
/* Adds what a stream has beside events. */
void retrans_test_tick(retrans_ns now);
void retrans_test_lost(uint64_t count);
void retrans_test_finish(retrans_ns now);
/* A new instance of the plugin takes over here, with the state of the old one. */
void retrans_test_reload(void);

/* Runs the plugin over the stream, in calls of 1, 7 and 256 events, whose answers must be the same, and returns them:
 *
 *     event 0: kept network=internal changed mark=1 rto=unknown
 *     line: {"type":"kind_summary"}
 *     alert: firing warning slow-peer peer=192.0.2.1 event 0: retransmission timeout of 3000 ms
 *     count: summaries 1
 *     gauge: peers 3
 *     observed: seconds 0.5 2
 *     error: every: expected at least 1s
 *
 * The plugin runs on the host "test", with the kernel "6.12.0", as in a replay. Settings are given as "port=443
 * name=ours"; values with blanks are given in JSON: every="1m 30s". Each run has an instance of its own, in a process
 * of its own: the global variables of the plugin are as at its start. */
const char *retrans_test_run(const char *settings);

/* Fails the test if the texts differ. */
#define CHECK(found, expected) retrans_test_check(__FILE__, __LINE__, found, expected)
void retrans_test_check(const char *file, int line, const char *found, const char *expected);

/* Fails the test if the text is not part of what was found. */
#define CHECK_HAS(found, part) retrans_test_check_has(__FILE__, __LINE__, found, part)
void retrans_test_check_has(const char *file, int line, const char *found, const char *part);

typedef struct retrans_test {
    const char *name;
    void (*run)(void);
} retrans_test;

/* Defines main, which runs the tests. */
#define RETRANS_TESTS(...)                                                                                             \
    int main(void) {                                                                                                   \
        const retrans_test tests[] = {__VA_ARGS__};                                                                    \
        return retrans_test_main(tests, sizeof tests / sizeof tests[0]);                                               \
    }
int retrans_test_main(const retrans_test *tests, size_t count);

#endif
