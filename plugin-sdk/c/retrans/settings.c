/* Settings: the schema that the host enforces, and values from the JSON object that it passes. */
#include <stdlib.h>
#include <string.h>

#include "internal.h"

static void print_words(retrans_bytes *to, const char *words) {
    const char *separator = "";
    while (*words) {
        size_t length = strcspn(words, "|");
        char *word = retrans_copy(words, length);
        retrans_put_text(to, "%s", separator);
        retrans_print_json(to, word);
        free(word);
        separator = ",";
        words += length + (words[length] == '|');
    }
}

static void print_schema(retrans_bytes *to, const retrans_setting *setting) {
    retrans_print_json(to, setting->name);
    retrans_put_text(to, ":{");
    switch (setting->type) {
    case RETRANS_INTEGER:
        retrans_put_text(to, "\"type\":\"integer\"");
        if (setting->min != 0 || setting->max != 0)
            retrans_put_text(to, ",\"minimum\":%lld,\"maximum\":%lld", (long long)setting->min, (long long)setting->max);
        break;
    case RETRANS_NUMBER: retrans_put_text(to, "\"type\":\"number\""); break;
    case RETRANS_BOOL: retrans_put_text(to, "\"type\":\"boolean\""); break;
    case RETRANS_TEXT: retrans_put_text(to, "\"type\":\"string\""); break;
    case RETRANS_CHOICE:
        retrans_put_text(to, "\"type\":\"string\",\"enum\":[");
        print_words(to, setting->choices);
        retrans_put_text(to, "]");
        break;
    case RETRANS_DURATION:
        retrans_put_text(to, "\"type\":\"string\",\"pattern\":\"%s\",\"examples\":[\"10s\",\"250ms\",\"1m30s\"]",
                      retrans_duration_pattern);
        break;
    case RETRANS_NETWORKS:
    case RETRANS_TEXTS:
        retrans_put_text(to, "\"anyOf\":[{\"type\":\"array\",\"items\":{\"type\":\"string\"}},{\"type\":\"string\"}]");
        break;
    }
    if (setting->doc) {
        retrans_put_text(to, ",\"description\":");
        retrans_print_json(to, setting->doc);
    }
    retrans_put_text(to, ",\"default\":");
    bool is_text = setting->type == RETRANS_TEXT || setting->type == RETRANS_CHOICE ||
                   setting->type == RETRANS_DURATION || setting->type == RETRANS_NETWORKS ||
                   setting->type == RETRANS_TEXTS;
    if (!setting->initial)
        retrans_put_text(to, "%s", setting->type == RETRANS_NETWORKS || setting->type == RETRANS_TEXTS ? "[]" : "null");
    else if (is_text)
        retrans_print_json(to, setting->initial);
    else
        retrans_put_text(to, "%s", setting->initial);
    retrans_put_text(to, "}");
}

void retrans_schema(retrans_bytes *to) {
    retrans_put_text(to, "{\"type\":\"object\",\"additionalProperties\":false,\"properties\":{");
    const retrans_setting *setting = retrans_the_plugin.settings;
    for (const char *separator = ""; setting && setting->name; setting++, separator = ",") {
        retrans_put_text(to, "%s", separator);
        print_schema(to, setting);
    }
    retrans_put_text(to, "}}");
}

/* ---- Values ---- */

/* Sets a setting from text: what a user gives, or an item of a list. */
static bool set(const retrans_setting *setting, const char *text) {
    char *end = "";
    switch (setting->type) {
    case RETRANS_INTEGER: *(int64_t *)setting->value = strtoll(text, &end, 10); break;
    case RETRANS_NUMBER: *(double *)setting->value = strtod(text, &end); break;
    case RETRANS_BOOL: *(bool *)setting->value = strcmp(text, "true") == 0; break;
    case RETRANS_TEXT:
    case RETRANS_CHOICE: *(const char **)setting->value = retrans_copy(text, strlen(text)); break;
    case RETRANS_DURATION:
        if (!retrans_duration_read(text, setting->value)) {
            retrans_fail(NULL, 0, "%s: expected a duration such as \"10s\", \"250ms\" or \"1m30s\"", setting->name);
            return false;
        }
        break;
    case RETRANS_NETWORKS: {
        const char *error = retrans_network_read(text, setting->value);
        if (error) {
            retrans_fail(NULL, 0, "%s: %s: %s", setting->name, text, error);
            return false;
        }
        break;
    }
    case RETRANS_TEXTS: {
        retrans_texts *texts = setting->value;
        texts->list = realloc(texts->list, (texts->count + 1) * sizeof *texts->list);
        if (!texts->list) abort();
        texts->list[texts->count++] = retrans_copy(text, strlen(text));
        break;
    }
    }
    if (*end || end == text) {
        retrans_fail(NULL, 0, "%s: %s is no number", setting->name, text);
        return false;
    }
    return true;
}

static bool is_list(const retrans_setting *setting) {
    return setting->type == RETRANS_NETWORKS || setting->type == RETRANS_TEXTS;
}

/* Sets a setting from text that may have several items with commas. */
static bool set_all(const retrans_setting *setting, char *text) {
    if (!is_list(setting)) return set(setting, text);
    for (char *item = strtok(text, ", "); item; item = strtok(NULL, ", "))
        if (!set(setting, item)) return false;
    return true;
}

/* Text of JSON that is read: the host has made it, and checked it by the schema. */
typedef struct json {
    const char *at;
    const char *end;
} json;

static char next(json *from) {
    while (from->at < from->end && strchr(" \t\r\n", *from->at)) from->at++;
    return from->at < from->end ? *from->at : 0;
}

static bool eat(json *from, char expected) {
    if (next(from) != expected) return false;
    from->at++;
    return true;
}

static void put_utf8(retrans_bytes *to, uint32_t code) {
    char bytes[4];
    size_t length = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = length; i-- > 1; code >>= 6) bytes[i] = (char)(0x80 | (code & 0x3f));
    static const uint8_t FIRST[] = {0, 0, 0xc0, 0xe0, 0xf0};
    bytes[0] = (char)(FIRST[length] | code);
    retrans_put(to, bytes, length);
}

static uint32_t read_hex(json *from) {
    char digits[5] = {0};
    for (int i = 0; i < 4 && from->at < from->end; i++) digits[i] = *from->at++;
    return (uint32_t)strtoul(digits, NULL, 16);
}

static void read_escape(json *from, retrans_bytes *to) {
    char escape = *from->at++;
    static const char FROM[] = "bfnrt", TO[] = "\b\f\n\r\t";
    const char *known = strchr(FROM, escape);
    if (escape == 'u') {
        uint32_t code = read_hex(from);
        if (code >= 0xd800 && code < 0xdc00 && from->end - from->at > 6) {
            from->at += 2;
            code = 0x10000 + ((code - 0xd800) << 10) + (read_hex(from) - 0xdc00);
        }
        put_utf8(to, code);
    } else {
        retrans_put(to, known && *known ? TO + (known - FROM) : &escape, 1);
    }
}

/* A string, or a number or word as it stands; NULL where there is none. To be freed. */
static char *read_scalar(json *from) {
    retrans_bytes text = {0};
    if (eat(from, '"')) {
        while (from->at < from->end && *from->at != '"') {
            if (*from->at == '\\' && from->at + 1 < from->end) {
                from->at++;
                read_escape(from, &text);
            } else {
                retrans_put(&text, from->at++, 1);
            }
        }
        eat(from, '"');
    } else {
        next(from);
        while (from->at < from->end && !strchr(",]} \t\r\n", *from->at)) retrans_put(&text, from->at++, 1);
        if (text.length == 0) return NULL;
    }
    retrans_put(&text, "", 1);
    return (char *)text.bytes;
}

static bool read_value(json *from, const retrans_setting *setting) {
    bool has_items = eat(from, '[');
    if (has_items && eat(from, ']')) return true;
    do {
        char *text = read_scalar(from);
        if (!text) {
            retrans_fail(NULL, 0, "%s: expected a value", setting->name);
            return false;
        }
        bool is_set = has_items ? set(setting, text) : set_all(setting, text);
        free(text);
        if (!is_set) return false;
    } while (has_items && eat(from, ','));
    return !has_items || eat(from, ']');
}

static const retrans_setting *find(const char *name) {
    const retrans_setting *setting = retrans_the_plugin.settings;
    while (setting && setting->name && strcmp(setting->name, name) != 0) setting++;
    return setting && setting->name ? setting : NULL;
}

static bool set_initial(void) {
    const retrans_setting *setting = retrans_the_plugin.settings;
    for (; setting && setting->name; setting++) {
        if (is_list(setting)) memset(setting->value, 0, sizeof(retrans_networks));
        if (!setting->initial) continue;
        char *text = retrans_copy(setting->initial, strlen(setting->initial));
        bool is_set = set_all(setting, text);
        free(text);
        if (!is_set) return false;
    }
    return true;
}

bool retrans_configure(const char *text, size_t length) {
    json from = {text, text + length};
    if (!set_initial() || !eat(&from, '{')) return false;
    while (next(&from) == '"') {
        char *name = read_scalar(&from);
        const retrans_setting *setting = find(name);
        if (!setting) {
            retrans_fail(NULL, 0, "%s: unknown setting", name);
            return false;
        }
        if (is_list(setting)) memset(setting->value, 0, sizeof(retrans_networks));
        free(name);
        if (!eat(&from, ':') || !read_value(&from, setting)) return false;
        if (!eat(&from, ',')) break;
    }
    return eat(&from, '}');
}
