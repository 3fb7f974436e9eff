/* The host of a test: notes what the plugin does. */
#ifndef RETRANS_TEST_HOST_H
#define RETRANS_TEST_HOST_H

#include "internal.h"

/* Before a call with events from this position of the stream on. */
void retrans_test_begin_call(uint32_t first, size_t count, const uint8_t *records);
/* Appends the fields in which two records differ: " mark=1", " mark=unknown". */
void retrans_test_print_changes(retrans_bytes *to, const uint8_t *before, const uint8_t *after, uint32_t size);
void retrans_test_set_labels(uint32_t event, const char *lines, size_t length);
void retrans_test_add_lost(uint64_t count);
void retrans_test_end_call(const exports_retrans_plugin_processor_keep_t *keep);
/* Notes an error; returns false. */
bool retrans_test_failed(bindings_string_t *error);
/* Everything that was noted, in the form of retrans_test_run. */
void retrans_test_answers(retrans_bytes *to);

#endif
