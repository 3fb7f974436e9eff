/* Durations in the form that people write, as the Rust SDK reads them: "10s", "1h 30m", "0.5s". */
#include <string.h>

#include "internal.h"

const char *const retrans_duration_pattern = "^\\\\s*(0|([0-9.]+\\\\s*[a-zA-Z\xc2\xb5]+\\\\s*)+)$";

#define MINUTE (60 * RETRANS_SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

/* The names of a unit, each with a blank before and behind it. */
static const struct {
    const char *names;
    retrans_ns ns;
} UNITS[] = {
    {" nanos nsec ns ", 1},
    {" usec us \xc2\xb5s ", 1000},
    {" millis msec ms ", RETRANS_MILLISECOND},
    {" seconds second secs sec s ", RETRANS_SECOND},
    {" minutes minute min mins m ", MINUTE},
    {" hours hour hr hrs h ", HOUR},
    {" days day d ", DAY},
    {" weeks week wk wks w ", 7 * DAY},
    {" months month M ", 2630016 * RETRANS_SECOND},
    {" years year yr yrs y ", 31557600 * RETRANS_SECOND},
};

static bool is_blank(char byte) { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

static bool is_digit(char byte) { return byte >= '0' && byte <= '9'; }

static const char *skip_blanks(const char *text) {
    while (is_blank(*text)) text++;
    return text;
}

/* The length of the letters at the front. */
static size_t letters(const char *text) {
    size_t length = 0;
    for (;;) {
        char lower = (char)(text[length] | 0x20);
        if (lower >= 'a' && lower <= 'z') length++;
        else if (strncmp(text + length, "\xc2\xb5", 2) == 0) length += 2;
        else return length;
    }
}

/* The ns of the unit with this name; 0 if there is none. */
static retrans_ns unit_of(const char *name, size_t length) {
    char searched[12] = " ";
    if (length == 0 || length > sizeof searched - 3) return 0;
    memcpy(searched + 1, name, length);
    searched[length + 1] = ' ';
    for (size_t i = 0; i < sizeof UNITS / sizeof UNITS[0]; i++)
        if (strstr(UNITS[i].names, searched)) return UNITS[i].ns;
    return 0;
}

/* Appends a digit to a number; false if it becomes too large. */
static bool append(uint64_t *number, char digit) {
    uint64_t value = (uint64_t)(digit - '0');
    if (*number > (UINT64_MAX - value) / 10) return false;
    *number = *number * 10 + value;
    return true;
}

static bool multiply(uint64_t *number, uint64_t by) {
    if (*number > UINT64_MAX / by) return false;
    *number *= by;
    return true;
}

/* Digits of a number, which may have blanks between them. */
static bool read_digits(const char **text, uint64_t *number, uint64_t *power) {
    for (; is_digit(**text) || is_blank(**text); ++*text) {
        if (is_blank(**text)) continue;
        if (!append(number, **text) || (power && !multiply(power, 10))) return false;
    }
    return true;
}

/* What a fraction of a unit is. As in Rust, it must be a whole number: of seconds for hours and more, else of ns. */
static bool read_fraction(uint64_t digits, uint64_t power, retrans_ns unit, retrans_ns *fraction) {
    retrans_ns precision = unit >= HOUR ? RETRANS_SECOND : 1;
    if (unit == 1 || !multiply(&digits, unit / precision) || digits % power != 0) return false;
    *fraction = digits / power;
    return multiply(fraction, precision);
}

bool retrans_duration_read(const char *text, retrans_ns *duration) {
    *duration = 0;
    if (strcmp(text, "0") == 0) return true;
    text = skip_blanks(text);
    do {
        uint64_t whole = 0, digits = 0, power = 1;
        retrans_ns fraction = 0;
        if (!is_digit(*text) || !read_digits(&text, &whole, NULL)) return false;
        bool has_fraction = *text == '.';
        if (has_fraction) {
            text++;
            if (!read_digits(&text, &digits, &power) || power == 1) return false;
        }
        size_t length = letters(text);
        retrans_ns unit = unit_of(text, length);
        if (unit == 0 || !multiply(&whole, unit)) return false;
        if (has_fraction && !read_fraction(digits, power, unit, &fraction)) return false;
        if (whole > UINT64_MAX - *duration || fraction > UINT64_MAX - *duration - whole) return false;
        *duration += whole + fraction;
        text += length;
        if (*text && !is_digit(*text) && !is_blank(*text)) return false;
        text = skip_blanks(text);
    } while (*text);
    return true;
}
